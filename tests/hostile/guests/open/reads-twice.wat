;;! tries = "reads a column twice"
;;! ends = "bind"
;;! counted = { bad_binding = 1 }
;;! reads = ["x", "x"]
;;! says = ["it reads the column `x` twice"]
