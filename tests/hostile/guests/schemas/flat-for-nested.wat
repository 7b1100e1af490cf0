;;! tries = "agreed on lists and sends their items"
;;! ends = "run"
;;! kind = "map"
;;! writes = ['y: List(Int64)']
;;! sends = ['y: Int64']
;;! says = ["map"]
