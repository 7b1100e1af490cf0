;;! tries = "has an output with a dictionary"
;;! ends = "bind"
;;! kind = "map"
;;! writes = ["y: Dictionary(Int32, Utf8)"]
;;! sends = ["y: Int64"]
;;! says = ["dictionaries never cross"]
