;;! tries = "has an output with two columns of one name"
;;! ends = "bind"
;;! counted = { bad_binding = 1 }
;;! kind = "map"
;;! writes = ["y: Int64", "y: Utf8"]
;;! says = ["two columns have this name"]
