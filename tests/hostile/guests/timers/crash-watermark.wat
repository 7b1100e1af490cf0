;;! tries = "crashes when it is told how far event time has come"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! ends = "run"
;;! always = true
;;! counted = { unreachable = 2 }
;;! says = ["trapped in `on-watermark`"]
(func $on_watermark (param i32 i64) (result i32) unreachable)
