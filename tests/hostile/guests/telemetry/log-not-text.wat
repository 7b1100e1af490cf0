;;! tries = "writes bytes to the log that are not UTF-8"
;;! ends = "run"
;;! counted = { other_trap = 3 }
;;! imports = ["log"]
;;! says = ["trapped in `filter`"]
(data (i32.const 32768) "\c0\80\ff")
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $log (i32.const 4) (i32.const 32768) (i32.const 3))
  (global.get $done))
