;;! tries = "never comes back from `open`"
;;! ends = "bind"
;;! counted = { deadline = 1 }
;;! says = ["deadline exceeded", "trapped in `open`", "the limit for opening is 100 ms"]
(func $on_open (param i32 i32 i32 i32) (result i32)
  (loop $forever (br $forever))
  unreachable)
