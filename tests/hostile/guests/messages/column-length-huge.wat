;;! tries = "says that batch and column have 60,000 values, with bytes for three"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["column `y`", "are due"]
(func $lie
  (i64.store (global.get $at_rows) (i64.const 60000))
  (i64.store (global.get $at_node0) (i64.const 60000)))
