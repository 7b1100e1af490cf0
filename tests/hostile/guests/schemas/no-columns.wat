;;! tries = "agreed on a column and sends none"
;;! ends = "run"
;;! kind = "map"
;;! writes = ['y: Int64']
;;! sends = []
;;! says = ["map"]
