;;! tries = "wants a table of ten million elements to begin with"
;;! ends = "bind"
;;! says = ["trapped in `instantiate`"]
(table $table 10000000 funcref)
