;;! tries = "ends behind the header"
;;! ends = "load"
;;! cut = 8
;;! says = ["it exports nothing"]
;;! counted = { unknown_world = 1 }
