;;! tries = "divides by zero"
;;! ends = "run"
;;! counted = { arithmetic = 3 }
;;! says = ["divide by zero"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (i32.div_u (local.get $len) (i32.const 0)))
