;;! tries = "emits rows for an output that it does not have"
;;! ends = "run"
;;! kind = "flat-map"
;;! says = ["stops the job: unknown-port"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $emit_message (i32.const 7)))
