;;! tries = "reads a column twice"
;;! ends = "bind"
;;! reads = ["x", "x"]
;;! says = ["it reads the column `x` twice"]
