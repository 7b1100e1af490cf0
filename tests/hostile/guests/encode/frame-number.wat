;;! tries = "writes frames that are numbers"
;;! kind = "codec"
;;! drive = "encode"
;;! rows = 1
;;! sends = ["frame: Int64"]
;;! ends = "run"
;;! counted = { bad_batch = 2 }
;;! says = ["row 0 is refused: plugin-bad-batch"]
