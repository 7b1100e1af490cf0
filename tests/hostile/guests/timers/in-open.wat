;;! tries = "sets a timer in `open`"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! imports = ["register"]
;;! ends = "bind"
;;! counted = { import_not_allowed = 1 }
;;! says = ["`timers.register` was called where no key is under way"]
(func $on_open (param i32 i32 i32 i32) (result i32)
  (call $register (i32.const 32768) (i32.const 0) (global.get $answer))
  (global.get $binding))
