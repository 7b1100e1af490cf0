;;! tries = "calls itself without end"
;;! ends = "run"
;;! counted = { stack_overflow = 3 }
;;! says = ["it ran out of stack"]
(func $deep (call $deep))
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $deep)
  (global.get $done))
