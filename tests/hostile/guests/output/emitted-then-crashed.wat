;;! tries = "emits rows and crashes then: nothing of the call may be seen"
;;! ends = "run"
;;! kind = "flat-map"
;;! rows_out = 0
;;! says = ["trapped in `flat-map`"]
;;! rows = 1
;;! counted = { unreachable = 2 }
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (drop (call $emit_message (i32.const 0)))
  unreachable)
