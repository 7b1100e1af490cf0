;;! tries = "writes no frame for a row, and does not refuse it"
;;! kind = "codec"
;;! drive = "encode"
;;! rows = 1
;;! sends_rows = 0
;;! ends = "run"
;;! counted = { bad_frames = 2 }
;;! says = ["row 0 is refused: plugin-bad-frames", "some rows are in no frame and not refused"]
