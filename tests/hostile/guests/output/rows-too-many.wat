;;! tries = "maps three rows to three hundred"
;;! ends = "run"
;;! counted = { wrong_rows = 1 }
;;! kind = "map"
;;! sends = ["y: Int64"]
;;! sends_rows = 300
;;! says = ["300 rows for 3"]
