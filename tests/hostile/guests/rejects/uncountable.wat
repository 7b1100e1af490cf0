;;! tries = "refuses four thousand million rows"
;;! ends = "run"
;;! counted = { other_trap = 3 }
;;! says = ["trapped in `filter`"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $set_rejects (i32.const 32768) (i32.const -1))
  (global.get $done))
