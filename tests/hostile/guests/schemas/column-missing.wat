;;! tries = "agreed on two columns and sends one"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! writes = ['a: Int64', 'b: Int64']
;;! sends = ['a: Int64']
;;! says = ["column `b`: the batch has no node for it"]
