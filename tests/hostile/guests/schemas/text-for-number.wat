;;! tries = "agreed on numbers and sends texts"
;;! ends = "run"
;;! kind = "map"
;;! writes = ['y: Int64']
;;! sends = ['y: Utf8']
;;! says = ["map"]
