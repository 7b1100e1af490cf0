;;! tries = "agreed on lists and sends their items"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! writes = ['y: List(Int64)']
;;! sends = ['y: Int64']
;;! says = ["map"]
