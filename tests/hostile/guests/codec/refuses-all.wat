;;! tries = "refuses whatever it is to read"
;;! rows_out = 0
;;! refused = ["0 reject-batch", "1 reject-batch", "2 reject-batch"]
;;! in_a_file = ["cannot read on: no good"]
;;! kind = "codec"
(func $on_process (param $framing i32) (param $ptr i32) (param $len i32) (param $end i32) (result i32)
  (global.get $reject_batch))
