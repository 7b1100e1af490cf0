;;! tries = "puts numbers where times are that no calendar has"
;;! kind = "map"
;;! writes = ['time: Timestamp(ns, "UTC")']
;;! rows_out = 3
(func $lie (local $values i32)
  (local.set $values (i32.add (global.get $at_body) (i32.load (global.get $at_buffer1))))
  (i64.store (local.get $values) (i64.const 0x8000000000000000))
  (i64.store offset=8 (local.get $values) (i64.const 0x7fffffffffffffff)))
