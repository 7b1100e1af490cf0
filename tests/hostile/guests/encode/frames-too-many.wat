;;! tries = "writes three frames for a row"
;;! kind = "codec"
;;! drive = "encode"
;;! rows = 1
;;! sends_rows = 3
;;! ends = "run"
;;! counted = { wrong_rows = 2 }
;;! says = ["row 0 is refused: plugin-wrong-rows"]
