;;! tries = "says that all it gets is the beginning of something"
;;! rows = 1
;;! sends_rows = 0
;;! rows_out = 0
;;! counted = { bad_frames = 1 }
;;! refused = ["0 unfinished-frame"]
;;! kind = "codec"
(func $on_process (param $framing i32) (param $ptr i32) (param $len i32) (param $end i32) (result i32)
  (call $set_output (global.get $message) (global.get $message_bytes))
  ;; `row 0` has five.
  (i32.store offset=32 (global.get $done) (i32.const 5))
  (global.get $done))
