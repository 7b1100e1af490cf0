;;! tries = "hands out memory that it does not have"
;;! ends = "bind"
;;! counted = { other_trap = 1 }
;;! says = ["trapped in `open`"]
(func $on_realloc (param i32 i32 i32 i32) (result i32)
  (i32.const 0x7fff0000))
