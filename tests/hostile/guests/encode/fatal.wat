;;! tries = "gives up"
;;! kind = "codec"
;;! drive = "encode"
;;! ends = "run"
;;! counted = { fatal = 1 }
;;! says = ["stops the job: no good"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (global.get $fatal))
