;;! tries = "has an output with string views"
;;! ends = "bind"
;;! kind = "map"
;;! writes = ["y: Utf8View"]
;;! sends = ["y: Int64"]
;;! says = ["views never cross"]
