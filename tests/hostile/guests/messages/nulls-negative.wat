;;! tries = "says that minus one of its values are null"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["column `y`: -1 as its null count"]
(func $lie
  (i64.store offset=8 (global.get $at_node0) (i64.const -1)))
