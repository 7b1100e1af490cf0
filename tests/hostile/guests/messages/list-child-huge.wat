;;! tries = "says that three lists have 2^62 items"
;;! ends = "run"
;;! counted = { output_bytes = 3 }
;;! kind = "map"
;;! writes = ["y: List(Int64)"]
;;! says = ["map"]
(func $lie
  (i64.store (global.get $at_node1) (i64.const 0x4000000000000000)))
