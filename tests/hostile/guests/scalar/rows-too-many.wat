;;! tries = "gives four values for three rows"
;;! ends = "run"
;;! sends_rows = 4
;;! writes = ["y: Int64"]
;;! counted = { wrong_rows = 1 }
;;! kind = "scalar"
