;;! tries = "has a buffer of minus eight bytes"
;;! ends = "run"
;;! kind = "map"
;;! says = ["column `y`: -8 as values"]
(func $lie
  (i64.store offset=8 (global.get $at_buffer1) (i64.const -8)))
