;;! tries = "has a buffer that begins behind the body"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["outside the body"]
(func $lie
  (i64.store (global.get $at_buffer1) (i64.const 0x100000)))
