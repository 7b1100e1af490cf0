;;! tries = "agreed on a column and sends none"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! writes = ['y: Int64']
;;! sends = []
;;! says = ["map"]
