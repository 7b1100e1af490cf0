;;! tries = "agreed on no columns and sends one"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! writes = []
;;! sends = ['y: Int64']
;;! says = ["more than the 0 agreed columns have"]
