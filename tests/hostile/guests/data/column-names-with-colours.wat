;;! tries = "writes columns whose names would colour a terminal"
;;! kind = "map"
;;! writes = ["\u001b[31my\n: Int64"]
;;! rows_out = 3
