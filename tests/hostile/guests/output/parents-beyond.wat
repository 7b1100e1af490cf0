;;! tries = "emits a row that comes from row four thousand million"
;;! ends = "run"
;;! counted = { emit_refused = 1, fatal = 1 }
;;! kind = "flat-map"
;;! says = ["stops the job: invalid-batch"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (i32.store (global.get $parents) (i32.const -1))
  (call $emit_message (i32.const 0)))
