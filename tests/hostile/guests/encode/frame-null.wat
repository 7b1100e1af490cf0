;;! tries = "writes a frame that is null"
;;! kind = "codec"
;;! drive = "encode"
;;! rows = 1
;;! ends = "run"
;;! counted = { bad_batch = 2 }
;;! says = ["row 0 is refused: plugin-bad-batch", "null"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  ;; One null, in a bitmap that lies over the offsets, which begin with a zero.
  (i64.store offset=8 (global.get $at_node0) (i64.const 1))
  (i64.store (global.get $at_buffer0) (i64.const 0))
  (i64.store offset=8 (global.get $at_buffer0) (i64.const 1))
  (call $set_output (global.get $message) (global.get $message_bytes))
  (global.get $done))
