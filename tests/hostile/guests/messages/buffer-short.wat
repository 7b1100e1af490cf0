;;! tries = "has a buffer of 23 bytes for three numbers of eight"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["column `y`: its values have 23 bytes where 24 are due"]
(func $lie
  (i64.store offset=8 (global.get $at_buffer1) (i64.const 23)))
