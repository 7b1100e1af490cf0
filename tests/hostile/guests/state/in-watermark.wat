;;! tries = "reads state while no key is under way"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! imports = ["get"]
;;! ends = "run"
;;! always = true
;;! counted = { import_not_allowed = 2 }
;;! says = ["trapped in `on-watermark`", "no key is under way"]
(func $on_watermark (param i32 i64) (result i32)
  (call $get (i32.const 0) (i32.const 0) (i32.const 0) (global.get $answer))
  (global.get $unit))
