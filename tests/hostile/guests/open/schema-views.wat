;;! tries = "has an output with string views"
;;! ends = "bind"
;;! counted = { bad_binding = 1 }
;;! kind = "map"
;;! writes = ["y: Utf8View"]
;;! sends = ["y: Int64"]
;;! says = ["views never cross"]
