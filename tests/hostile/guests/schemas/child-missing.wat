;;! tries = "agreed on a struct of two and sends a struct of one"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! writes = ['y: Struct("a": Int64, "b": Int64)']
;;! sends = ['y: Struct("a": Int64)']
;;! says = ["no node for it"]
