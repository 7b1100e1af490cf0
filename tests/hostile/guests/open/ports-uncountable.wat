;;! tries = "has four thousand million outputs"
;;! ends = "bind"
;;! counted = { other_trap = 1 }
;;! kind = "flat-map"
;;! says = ["trapped in `open`"]
(func $on_open (param i32 i32 i32 i32) (result i32)
  (i32.store offset=16 (global.get $binding) (i32.const -1))
  (global.get $binding))
