;;! tries = "reads each message as a row"
;;! rows_out = 3
;;! refused = []
;;! kind = "codec"
