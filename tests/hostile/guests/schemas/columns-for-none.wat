;;! tries = "agreed on no columns and sends one"
;;! ends = "run"
;;! kind = "map"
;;! writes = []
;;! sends = ['y: Int64']
;;! says = ["more than the 0 agreed columns have"]
