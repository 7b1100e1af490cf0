;;! tries = "replaces all columns by none"
;;! ends = "bind"
;;! kind = "map"
;;! writes = []
;;! replaces = true
;;! says = ["output `out` replaces all columns by none"]
