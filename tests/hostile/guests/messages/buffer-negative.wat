;;! tries = "has a buffer that begins before the body"
;;! ends = "run"
;;! kind = "map"
;;! says = ["column `y`: -64 as values"]
(func $lie
  (i64.store (global.get $at_buffer1) (i64.const -64)))
