;;! tries = "agreed on lists of numbers and sends lists of texts"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! writes = ['y: List(Int64)']
;;! sends = ['y: List(Utf8)']
;;! says = ["map"]
