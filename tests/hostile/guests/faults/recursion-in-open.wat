;;! tries = "calls itself without end in `open`"
;;! ends = "bind"
;;! counted = { stack_overflow = 1 }
;;! says = ["it ran out of stack"]
(func $on_open (param i32 i32 i32 i32) (result i32)
  (call $on_open (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
