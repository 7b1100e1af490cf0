;;! tries = "never ends its start function"
;;! ends = "bind"
;;! counted = { deadline = 1 }
;;! says = ["deadline exceeded", "trapped in `instantiate`"]
(func $on_start
  (loop $forever (br $forever)))
