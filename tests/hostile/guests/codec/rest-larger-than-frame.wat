;;! tries = "says that more bytes are left of a frame than it has"
;;! rows = 1
;;! rows_out = 0
;;! counted = { bad_frames = 2 }
;;! refused = ["0 plugin-bad-frames"]
;;! in_a_file = ["bytes are left of a frame that has"]
;;! kind = "codec"
(func $on_process (param $framing i32) (param $ptr i32) (param $len i32) (param $end i32) (result i32)
  (call $set_output (global.get $message) (global.get $message_bytes))
  (i32.store offset=32 (global.get $done) (i32.const -1))
  (global.get $done))
