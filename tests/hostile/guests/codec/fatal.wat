;;! tries = "gives up"
;;! ends = "run"
;;! counted = { fatal = 1 }
;;! says = ["stops the job: no good"]
;;! in_a_file = ["stops the job: no good"]
;;! kind = "codec"
(func $on_process (param $framing i32) (param $ptr i32) (param $len i32) (param $end i32) (result i32)
  (global.get $fatal))
