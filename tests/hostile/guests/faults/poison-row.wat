;;! tries = "panics whenever one row is in the batch, and only then"
;;! counted = { unreachable = 7 }
;;! rows = 40
;;! poison = 17
;;! on_error = "dead_letter"
;;! refused = ["17 plugin-unreachable"]
;;! rows_out = 39
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (if (call $poisoned (local.get $ptr) (local.get $len)) (then unreachable))
  (call $keep_all (local.get $ptr)))
