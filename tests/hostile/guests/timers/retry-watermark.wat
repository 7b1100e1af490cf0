;;! tries = "asks for the same watermark again, always"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! ends = "run"
;;! counted = { retries = 1 }
;;! says = ["asked 5 times to be called again", "is away for longer: with `restart:` the job tries again later"]
(func $on_watermark (param i32 i64) (result i32)
  (global.get $retry))
