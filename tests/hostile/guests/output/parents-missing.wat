;;! tries = "emits three rows and says where two come from"
;;! ends = "run"
;;! counted = { emit_refused = 1, fatal = 1 }
;;! kind = "flat-map"
;;! says = ["stops the job: invalid-batch"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $emit (i32.const 0) (global.get $parents) (i32.const 2) (global.get $message) (global.get $message_bytes)
    (global.get $answer))
  (if (i32.load8_u (global.get $answer)) (then (return (i32.load offset=4 (global.get $refused)))))
  (global.get $done))
