;;! tries = "leaves the last byte of the body out"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["its metadata speaks of a body"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $set_output (global.get $message) (i32.sub (global.get $message_bytes) (i32.const 1)))
  (global.get $done))
