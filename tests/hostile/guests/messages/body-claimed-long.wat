;;! tries = "claims a body of 4 EiB"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["its metadata speaks of a body of 4611686018427387904 bytes"]
(func $lie
  (i64.store (global.get $at_body_bytes) (i64.const 0x4000000000000000)))
