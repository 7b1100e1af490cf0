;;! tries = "agreed on texts and sends numbers"
;;! ends = "run"
;;! kind = "map"
;;! writes = ['y: Utf8']
;;! sends = ['y: Int64']
;;! says = ["map"]
