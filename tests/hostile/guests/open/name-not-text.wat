;;! tries = "has a name that is not UTF-8"
;;! ends = "bind"
;;! counted = { other_trap = 1 }
;;! says = ["trapped in `describe`"]
(data (i32.const 32768) "\ff\fe")
(func $on_describe (result i32)
  (i32.store (global.get $description) (i32.const 32768))
  (i32.store offset=4 (global.get $description) (i32.const 2))
  (global.get $description))
