;;! tries = "says that a column has minus one values"
;;! ends = "run"
;;! kind = "map"
;;! says = ["column `y`: -1 as length"]
(func $lie
  (i64.store (global.get $at_node0) (i64.const -1)))
