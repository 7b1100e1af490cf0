;;! tries = "emits rows for an output that it does not have"
;;! ends = "run"
;;! counted = { emit_refused = 1, fatal = 1 }
;;! kind = "flat-map"
;;! says = ["stops the job: unknown-port"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $emit_message (i32.const 7)))
