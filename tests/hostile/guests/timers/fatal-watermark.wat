;;! tries = "gives up when it is told how far event time has come"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! ends = "run"
;;! counted = { fatal = 1 }
;;! says = ["stops the job: no good"]
(func $on_watermark (param i32 i64) (result i32)
  (global.get $fatal))
