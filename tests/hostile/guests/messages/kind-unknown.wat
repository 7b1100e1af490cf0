;;! tries = "passes its batch off as a kind of message that does not exist"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["where a RecordBatch is due"]
(func $lie
  (i32.store8 (global.get $at_kind) (i32.const 200)))
