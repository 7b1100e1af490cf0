;;! tries = "says that a row comes from a frame that was not given"
;;! rows = 1
;;! rows_out = 0
;;! counted = { bad_frames = 2 }
;;! refused = ["0 plugin-bad-frames"]
;;! in_a_file = ["a row of frame 70000, where 1 were given"]
;;! kind = "codec"
(func $on_process (param $framing i32) (param $ptr i32) (param $len i32) (param $end i32) (result i32)
  (call $set_output (global.get $message) (global.get $message_bytes))
  (i32.store (i32.load offset=16 (global.get $done)) (i32.const 70000))
  (global.get $done))
