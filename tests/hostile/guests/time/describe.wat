;;! tries = "never says who it is"
;;! ends = "bind"
;;! counted = { deadline = 1 }
;;! says = ["deadline exceeded", "trapped in `describe`"]
(func $on_describe (result i32)
  (loop $forever (br $forever))
  unreachable)
