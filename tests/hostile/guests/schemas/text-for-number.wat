;;! tries = "agreed on numbers and sends texts"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! writes = ['y: Int64']
;;! sends = ['y: Utf8']
;;! says = ["map"]
