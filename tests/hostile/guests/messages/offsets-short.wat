;;! tries = "has two offsets for three texts"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! writes = ["y: Utf8"]
;;! says = ["column `y`: its offsets have 8 bytes where 16 are due"]
(func $lie
  (i64.store offset=8 (global.get $at_buffer1) (i64.const 8)))
