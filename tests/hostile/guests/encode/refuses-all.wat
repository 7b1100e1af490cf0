;;! tries = "refuses whatever it is to write"
;;! kind = "codec"
;;! drive = "encode"
;;! ends = "run"
;;! says = ["row 0 is refused: reject-batch: no good"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (global.get $reject_batch))
