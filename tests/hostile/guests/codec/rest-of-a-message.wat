;;! tries = "leaves half of a whole message"
;;! rows = 1
;;! rows_out = 1
;;! counted = { bad_frames = 1 }
;;! refused = ["0 unfinished-frame"]
;;! in_a_file = ["it gives rows or rejects, and has used no byte"]
;;! kind = "codec"
(func $on_process (param $framing i32) (param $ptr i32) (param $len i32) (param $end i32) (result i32)
  (call $set_output (global.get $message) (global.get $message_bytes))
  (i32.store offset=32 (global.get $done) (i32.const 3))
  (global.get $done))
