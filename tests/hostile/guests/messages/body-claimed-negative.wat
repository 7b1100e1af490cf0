;;! tries = "claims a body of minus one bytes"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["its metadata speaks of a body of -1 bytes"]
(func $lie
  (i64.store (global.get $at_body_bytes) (i64.const -1)))
