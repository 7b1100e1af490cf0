;;! tries = "says that two of its values are null, with a bitmap in which none is"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["map"]
(func $lie
  ;; The bitmap lies where the first value does, which is 7: three bits that say that a value is there.
  (i64.store (i32.add (global.get $at_body) (i32.load (global.get $at_buffer1))) (i64.const 7))
  (i64.store offset=8 (global.get $at_node0) (i64.const 2))
  (i64.store (global.get $at_buffer0) (i64.load (global.get $at_buffer1)))
  (i64.store offset=8 (global.get $at_buffer0) (i64.const 8)))
