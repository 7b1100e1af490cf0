;;! tries = "maps three rows to two"
;;! ends = "run"
;;! counted = { wrong_rows = 1 }
;;! kind = "map"
;;! sends = ["y: Int64"]
;;! sends_rows = 2
;;! says = ["2 rows for 3"]
