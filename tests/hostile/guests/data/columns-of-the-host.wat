;;! tries = "writes columns that are named like what the host keeps beside rows"
;;! kind = "map"
;;! writes = ["origin: Int64", "__origin: Int64", "selection: Int64", "event_time: Int64"]
;;! rows_out = 3
