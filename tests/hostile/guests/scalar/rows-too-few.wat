;;! tries = "gives two values for three rows"
;;! ends = "run"
;;! sends_rows = 2
;;! writes = ["y: Int64"]
;;! counted = { wrong_rows = 1 }
;;! says = ["2 rows for 3"]
;;! kind = "scalar"
