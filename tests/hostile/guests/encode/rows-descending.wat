;;! tries = "says that its frames begin at rows in another order, whenever it writes two rows at once"
;;! kind = "codec"
;;! drive = "encode"
;;! rows = 2
;;! rows_out = 2
;;! counted = { bad_frames = 1 }
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $set_output (global.get $message) (global.get $message_bytes))
  ;; The frames of two rows: 1, 0. Of one row there is a frame alone, as it should be.
  (if (i32.eq (call $rows (local.get $ptr)) (i32.const 2))
    (then (i64.store (i32.load offset=16 (global.get $done)) (i64.const 1)) (return (global.get $done))))
  (i64.store (i32.load offset=16 (global.get $done)) (i64.const 0))
  (i32.store offset=20 (global.get $done) (i32.const 1))
  (i64.store (global.get $at_rows) (i64.const 1))
  (i64.store (global.get $at_node0) (i64.const 1))
  (global.get $done))
