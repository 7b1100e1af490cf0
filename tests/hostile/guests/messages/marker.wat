;;! tries = "begins its message with another marker"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["instead of the marker ff ff ff ff"]
(func $lie
  (i32.store (global.get $message) (i32.const 0x4f525241)))
