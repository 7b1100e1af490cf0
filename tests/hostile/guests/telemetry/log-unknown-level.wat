;;! tries = "writes to the log at a level that does not exist"
;;! ends = "run"
;;! counted = { other_trap = 3 }
;;! imports = ["log"]
;;! says = ["trapped in `filter`"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $log (i32.const 77) (i32.const 1024) (i32.const 3))
  (global.get $done))
