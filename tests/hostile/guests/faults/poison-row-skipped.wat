;;! tries = "panics whenever one row is in the batch, under `on_error: skip`"
;;! counted = { unreachable = 7 }
;;! rows = 40
;;! poison = 0
;;! on_error = "skip"
;;! rows_out = 39
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (if (call $poisoned (local.get $ptr) (local.get $len)) (then unreachable))
  (call $keep_all (local.get $ptr)))
