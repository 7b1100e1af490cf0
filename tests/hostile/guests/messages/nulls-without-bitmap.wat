;;! tries = "says that one of its values is null, with a bitmap of no bytes"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["its validity have 0 bytes where 1 are due"]
(func $lie
  (i64.store offset=8 (global.get $at_node0) (i64.const 1))
  (i64.store offset=8 (global.get $at_buffer0) (i64.const 0)))
