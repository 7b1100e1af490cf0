;;! tries = "has a name of 2 GiB, most of it outside its memory"
;;! ends = "bind"
;;! counted = { other_trap = 1 }
;;! says = ["trapped in `describe`"]
(func $on_describe (result i32)
  (i32.store offset=4 (global.get $description) (i32.const 0x7fffffff))
  (global.get $description))
