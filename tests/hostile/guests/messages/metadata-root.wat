;;! tries = "has a root table 2 GiB away"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["not a valid Arrow IPC flatbuffer"]
(func $lie
  (i32.store offset=8 (global.get $message) (i32.const 0x7ffffff0)))
