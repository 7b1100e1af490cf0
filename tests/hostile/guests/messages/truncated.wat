;;! tries = "cuts its message in half"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["not an encapsulated Arrow IPC message"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $set_output (global.get $message) (i32.div_u (global.get $message_bytes) (i32.const 2)))
  (global.get $done))
