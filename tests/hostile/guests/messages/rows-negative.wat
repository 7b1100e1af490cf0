;;! tries = "says that its batch has minus three rows"
;;! ends = "run"
;;! counted = { wrong_rows = 1 }
;;! kind = "map"
;;! says = ["the batch claims -3 rows"]
(func $lie
  (i64.store (global.get $at_rows) (i64.const -3)))
