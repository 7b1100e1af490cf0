;;! tries = "has a buffer of minus eight bytes"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["column `y`: -8 as its values"]
(func $lie
  (i64.store offset=8 (global.get $at_buffer1) (i64.const -8)))
