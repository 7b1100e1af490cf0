;;! tries = "agreed on a column without nulls and sends one"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! writes = ['y: non-null Int64']
;;! sends = ['y: Int64']
;;! says = ["non-nullable"]
(func $lie
  ;; The bitmap lies where the first value does, all of whose bits are zero.
  (i64.store offset=8 (global.get $at_node0) (i64.const 3))
  (i64.store (global.get $at_buffer0) (i64.load (global.get $at_buffer1)))
  (i64.store offset=8 (global.get $at_buffer0) (i64.const 8)))
