;;! tries = "agreed on one column and sends two"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! writes = ['a: Int64']
;;! sends = ['a: Int64', 'b: Int64']
;;! says = ["more than the 1 agreed columns have"]
