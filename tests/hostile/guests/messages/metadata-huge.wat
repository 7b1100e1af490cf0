;;! tries = "claims metadata of 2 GiB"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["its metadata should have 2147483640 bytes"]
(func $lie
  (i32.store (global.get $at_metadata_bytes) (i32.const 0x7ffffff8)))
