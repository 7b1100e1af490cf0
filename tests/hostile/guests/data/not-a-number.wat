;;! tries = "writes floats with hidden bits in what is no number"
;;! kind = "map"
;;! writes = ["y: Float64"]
;;! rows_out = 3
(func $lie (local $values i32)
  (local.set $values (i32.add (global.get $at_body) (i32.load (global.get $at_buffer1))))
  (i64.store (local.get $values) (i64.const 0x7ff8deadbeef0001))
  (i64.store offset=8 (local.get $values) (i64.const 0xfff0000000000001)))
