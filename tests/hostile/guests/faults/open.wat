;;! tries = "panics in `open`"
;;! ends = "bind"
;;! counted = { unreachable = 1 }
;;! says = ["trapped in `open`"]
(func $on_open (param i32 i32 i32 i32) (result i32) unreachable)
