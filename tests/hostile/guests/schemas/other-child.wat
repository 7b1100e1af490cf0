;;! tries = "agreed on lists of numbers and sends lists of texts"
;;! ends = "run"
;;! kind = "map"
;;! writes = ['y: List(Int64)']
;;! sends = ['y: List(Utf8)']
;;! says = ["map"]
