;;! tries = "reads a column that is not there, to learn of others"
;;! ends = "bind"
;;! reads = ["secrets"]
;;! says = ["it reads the column `secrets`; the input has x, name"]
