;;! tries = "has a root table that is the place where it is written down"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["only V5 is accepted"]
(func $lie
  (i32.store offset=8 (global.get $message) (i32.const 0)))
