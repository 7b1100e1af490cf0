;;! tries = "panics in its start function"
;;! ends = "bind"
;;! says = ["trapped in `instantiate`"]
(func $on_start unreachable)
