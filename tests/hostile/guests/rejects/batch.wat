;;! tries = "refuses the batch as a whole, and the job is told to stop at errors"
;;! ends = "run"
;;! says = ["refused a batch of 3 rows: no good"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (global.get $reject_batch))
