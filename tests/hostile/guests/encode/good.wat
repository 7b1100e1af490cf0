;;! tries = "writes each row as a frame"
;;! kind = "codec"
;;! drive = "encode"
;;! rows_out = 3
