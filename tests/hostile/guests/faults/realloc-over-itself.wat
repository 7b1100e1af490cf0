;;! tries = "hands out the memory in which its own answer is"
;;! ends = "bind"
;;! counted = { other_trap = 1 }
;;! says = ["trapped in `open`"]
(func $on_realloc (param i32 i32 i32 i32) (result i32)
  (global.get $binding))
