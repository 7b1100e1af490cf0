;;! tries = "answers with fewer bytes than a message has before its metadata"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["7 bytes are too few"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $set_output (global.get $message) (i32.const 7))
  (global.get $done))
