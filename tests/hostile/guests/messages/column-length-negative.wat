;;! tries = "says that a column has minus one values"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["column `y`: -1 as its length"]
(func $lie
  (i64.store (global.get $at_node0) (i64.const -1)))
