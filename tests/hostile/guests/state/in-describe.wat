;;! tries = "reads state in `describe`"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! imports = ["get"]
;;! ends = "bind"
;;! counted = { import_not_allowed = 1 }
;;! says = ["`state.get` was called where no key is under way"]
(func $on_describe (result i32)
  (call $get (i32.const 0) (i32.const 0) (i32.const 0) (global.get $answer))
  (global.get $description))
