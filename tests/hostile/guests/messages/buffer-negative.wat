;;! tries = "has a buffer that begins before the body"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["column `y`: -64 as its values"]
(func $lie
  (i64.store (global.get $at_buffer1) (i64.const -64)))
