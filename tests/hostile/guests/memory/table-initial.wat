;;! tries = "wants a table of ten million elements to begin with"
;;! ends = "bind"
;;! counted = { table = 1 }
;;! says = ["trapped in `instantiate`"]
(table $table 10000000 funcref)
