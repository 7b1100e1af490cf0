;;! tries = "says that four of its three values are null"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["column `y`: 4 nulls among 3 values"]
(func $lie
  (i64.store offset=8 (global.get $at_node0) (i64.const 4)))
