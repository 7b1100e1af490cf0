;;! tries = "never hands out the memory that the host asks for"
;;! ends = "bind"
;;! counted = { deadline = 1 }
;;! says = ["deadline exceeded", "trapped in `open`"]
(func $on_realloc (param i32 i32 i32 i32) (result i32)
  (loop $forever (br $forever))
  unreachable)
