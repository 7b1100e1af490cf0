;;! tries = "names the frames of two rows of three"
;;! rows = 1
;;! sends_rows = 3
;;! rows_out = 0
;;! counted = { wrong_rows = 2 }
;;! refused = ["0 plugin-wrong-rows"]
;;! in_a_file = ["the frames of 2 rows, and 3 rows"]
;;! kind = "codec"
(func $on_process (param $framing i32) (param $ptr i32) (param $len i32) (param $end i32) (result i32)
  (call $set_output (global.get $message) (global.get $message_bytes))
  (i32.store offset=20 (global.get $done) (i32.const 2))
  (global.get $done))
