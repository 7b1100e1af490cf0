;;! tries = "speaks a version that does not exist"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["only V5 is accepted"]
(func $lie
  (i32.store16 (global.get $at_version) (i32.const 999)))
