;;! tries = "exports nothing"
;;! ends = "load"
;;! says = ["it exports nothing"]
;;! counted = { unknown_world = 1 }
(component)
