;;! tries = "calls itself through a table without end"
;;! ends = "run"
;;! counted = { stack_overflow = 3 }
;;! says = ["it ran out of stack"]
(type $plain (func))
(table $table funcref (elem $deep))
(func $deep (call_indirect $table (type $plain) (i32.const 0)))
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $deep)
  (global.get $done))
