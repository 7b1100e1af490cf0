;;! tries = "has two columns of results"
;;! ends = "bind"
;;! writes = ["y: Int64", "z: Int64"]
;;! counted = { bad_binding = 1 }
;;! says = ["output has one column, its has 2"]
;;! kind = "scalar"
