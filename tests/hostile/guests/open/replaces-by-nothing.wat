;;! tries = "replaces all columns by none"
;;! ends = "bind"
;;! counted = { bad_binding = 1 }
;;! kind = "map"
;;! writes = []
;;! replaces = true
;;! says = ["output `out` replaces all columns by none"]
