;;! tries = "gives a row, and says that it has used no byte for it"
;;! rows = 1
;;! rows_out = 1
;;! counted = { bad_frames = 1 }
;;! refused = ["0 unfinished-frame"]
;;! in_a_file = ["it gives rows or rejects, and has used no byte"]
;;! kind = "codec"
(func $on_process (param $framing i32) (param $ptr i32) (param $len i32) (param $end i32) (result i32)
  (call $set_output (global.get $message) (global.get $message_bytes))
  ;; `row 0` has five.
  (i32.store offset=32 (global.get $done) (i32.const 5))
  (global.get $done))
