;;! tries = "has no byte for three booleans"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! writes = ["y: Boolean"]
;;! says = ["column `y`: its values have 0 bytes where 1 are due"]
(func $lie
  (i64.store offset=8 (global.get $at_buffer1) (i64.const 0)))
