;;! tries = "crashes on one value of five, where that is to be a null"
;;! rows = 5
;;! rows_out = 5
;;! poison = 3
;;! on_error = "skip"
;;! counted = { unreachable = 5 }
;;! kind = "scalar"
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (if (call $poisoned (local.get $ptr) (local.get $len)) (then unreachable))
  (call $set_output (local.get $ptr) (local.get $len))
  (global.get $done))
