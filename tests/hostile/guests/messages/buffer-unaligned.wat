;;! tries = "has a buffer that begins at an odd place"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["is not a multiple of 8"]
(func $lie
  (i64.store (global.get $at_buffer1) (i64.const 1)))
