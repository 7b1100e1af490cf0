;;! tries = "has a buffer that is longer than the body"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["outside the body"]
(func $lie
  (i64.store offset=8 (global.get $at_buffer1) (i64.const 0x7ffffff8)))
