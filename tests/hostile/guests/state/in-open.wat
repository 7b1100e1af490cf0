;;! tries = "writes state in `open`"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! imports = ["put"]
;;! ends = "bind"
;;! counted = { import_not_allowed = 1 }
;;! says = ["`state.put` was called where no key is under way"]
(func $on_open (param i32 i32 i32 i32) (result i32)
  (call $put (i32.const 0) (i32.const 0) (i32.const 0) (global.get $message) (global.get $message_bytes)
    (global.get $answer))
  (global.get $binding))
