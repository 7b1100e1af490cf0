;;! tries = "claims metadata that ends between two words"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["is not a length of metadata"]
(func $lie
  (i32.store (global.get $at_metadata_bytes) (i32.sub (i32.load (global.get $at_metadata_bytes)) (i32.const 3))))
