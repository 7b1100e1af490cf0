;;! tries = "has a buffer whose offset and length add up to less than nothing"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["outside the body"]
(func $lie
  (i64.store (global.get $at_buffer1) (i64.const 0x7ffffffffffffff8))
  (i64.store offset=8 (global.get $at_buffer1) (i64.const 0x7ffffffffffffff8)))
