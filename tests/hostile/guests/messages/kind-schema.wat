;;! tries = "passes its batch off as a schema"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["map"]
(func $lie
  (i32.store8 (global.get $at_kind) (i32.const 1)))
