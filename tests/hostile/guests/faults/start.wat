;;! tries = "panics in its start function"
;;! ends = "bind"
;;! counted = { unreachable = 1 }
;;! says = ["trapped in `instantiate`"]
(func $on_start unreachable)
