;;! tries = "neither binds nor refuses"
;;! ends = "bind"
;;! counted = { other_trap = 1 }
;;! says = ["trapped in `open`"]
(func $on_open (param i32 i32 i32 i32) (result i32)
  (i32.store8 (global.get $binding) (i32.const 2))
  (global.get $binding))
