;;! tries = "never comes back from a watermark"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! ends = "run"
;;! always = true
;;! counted = { deadline = 2 }
;;! says = ["deadline exceeded"]
(func $on_watermark (param i32 i64) (result i32)
  (loop $forever (br $forever)) unreachable)
