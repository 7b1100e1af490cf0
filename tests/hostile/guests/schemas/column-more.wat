;;! tries = "agreed on one column and sends two"
;;! ends = "run"
;;! kind = "map"
;;! writes = ['a: Int64']
;;! sends = ['a: Int64', 'b: Int64']
;;! says = ["more than the 1 agreed columns have"]
