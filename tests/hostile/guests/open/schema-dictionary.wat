;;! tries = "has an output with a dictionary"
;;! ends = "bind"
;;! counted = { bad_binding = 1 }
;;! kind = "map"
;;! writes = ["y: Dictionary(Int32, Utf8)"]
;;! sends = ["y: Int64"]
;;! says = ["dictionaries never cross"]
