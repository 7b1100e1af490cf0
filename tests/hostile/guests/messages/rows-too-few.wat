;;! tries = "says that its batch has two rows, with three in each column"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["column `y`: 3 values where 2 are due"]
(func $lie
  (i64.store (global.get $at_rows) (i64.const 2)))
