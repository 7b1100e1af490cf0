;;! tries = "has an output with times in a zone that does not exist"
;;! ends = "bind"
;;! counted = { bad_binding = 1 }
;;! kind = "map"
;;! writes = ['y: Timestamp(ms, "Mars/Olympus_Mons")']
;;! sends = ["y: Int64"]
;;! says = ["the schema of output `out`"]
