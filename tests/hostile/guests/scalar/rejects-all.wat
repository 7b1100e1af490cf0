;;! tries = "has no value for anything"
;;! ends = "run"
;;! says = ["has no value: no good"]
;;! kind = "scalar"
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (global.get $reject_batch))
