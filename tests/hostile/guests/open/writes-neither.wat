;;! tries = "neither appends nor replaces columns"
;;! ends = "bind"
;;! counted = { other_trap = 1 }
;;! kind = "map"
;;! says = ["trapped in `open`"]
(func $on_open (param i32 i32 i32 i32) (result i32)
  (i32.store8 offset=16 (i32.load offset=12 (global.get $binding)) (i32.const 9))
  (global.get $binding))
