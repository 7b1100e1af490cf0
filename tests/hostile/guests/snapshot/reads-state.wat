;;! tries = "reads state of the host while it gives its own"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! imports = ["get"]
;;! ends = "snapshot"
;;! counted = { import_not_allowed = 1 }
;;! says = ["trapped in `snapshot`", "`state.get` was called where no key is under way"]
(func $on_snapshot (result i32)
  (call $get (i32.const 0) (i32.const 32768) (i32.const 1) (global.get $answer))
  (global.get $done))
