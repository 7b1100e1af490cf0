;;! tries = "panics whenever one row is in the batch, and the job is told to stop at errors"
;;! ends = "run"
;;! counted = { unreachable = 7 }
;;! rows = 40
;;! poison = 17
;;! says = ["it panicked or aborted", "on one row (source flights, a.csv, position 17"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (if (call $poisoned (local.get $ptr) (local.get $len)) (then unreachable))
  (call $keep_all (local.get $ptr)))
