;;! tries = "crashes on one value of five"
;;! ends = "run"
;;! rows = 5
;;! poison = 3
;;! counted = { unreachable = 5 }
;;! says = ["unreachable"]
;;! kind = "scalar"
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (if (call $poisoned (local.get $ptr) (local.get $len)) (then unreachable))
  (call $set_output (local.get $ptr) (local.get $len))
  (global.get $done))
