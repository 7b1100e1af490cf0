;;! tries = "claims metadata of minus eight bytes"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["-8 is not a length of metadata"]
(func $lie
  (i32.store (global.get $at_metadata_bytes) (i32.const -8)))
