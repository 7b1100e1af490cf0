;;! tries = "refuses the watermark, of which there are no rows to leave out"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! ends = "run"
;;! counted = { fatal = 1 }
;;! says = ["stops the job: no good"]
(func $on_watermark (param i32 i64) (result i32)
  (global.get $reject_batch))
