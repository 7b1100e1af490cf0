;;! tries = "agreed on texts and sends numbers"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! writes = ['y: Utf8']
;;! sends = ['y: Int64']
;;! says = ["map"]
