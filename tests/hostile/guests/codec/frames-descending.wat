;;! tries = "says that its rows come from frames in another order"
;;! rows_out = 0
;;! counted = { bad_frames = 1, wrong_rows = 7 }
;;! refused = ["0 plugin-wrong-rows", "1 plugin-wrong-rows", "2 plugin-wrong-rows"]
;;! in_a_file = ["broke the contract in `decode`: the frames of 2 rows, and 3 rows"]
;;! kind = "codec"
(func $on_process (param $framing i32) (param $ptr i32) (param $len i32) (param $end i32) (result i32)
  (call $set_output (global.get $message) (global.get $message_bytes))
  (i32.store (i32.load offset=16 (global.get $done)) (i32.const 2))
  (if (i32.ne (call $rows (local.get $ptr)) (i32.const 3))
    (then (i32.store offset=20 (global.get $done) (i32.const 2))))
  (global.get $done))
