;;! tries = "says that its batch has 2^63 - 1 rows"
;;! ends = "run"
;;! counted = { wrong_rows = 1 }
;;! kind = "map"
;;! says = ["the batch claims 9223372036854775807 rows; the limit is 65536"]
(func $lie
  (i64.store (global.get $at_rows) (i64.const 0x7fffffffffffffff)))
