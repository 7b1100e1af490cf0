;;! tries = "gives texts where numbers were agreed"
;;! ends = "run"
;;! writes = ["y: Int64"]
;;! sends = ["y: Utf8"]
;;! counted = { bad_batch = 1 }
;;! kind = "scalar"
