;;! tries = "exports nothing"
;;! ends = "load"
;;! says = ["it exports nothing"]
(component)
