;;! tries = "reads each message as a row, and each piece of a file as three"
;;! rows_out = 3
;;! refused = []
;;! kind = "codec"
(func $on_process (param $framing i32) (param $ptr i32) (param $len i32) (param $end i32) (result i32)
  (call $set_output (global.get $message) (global.get $message_bytes))
  ;; All rows of a piece are of the first frame: there is no other.
  (if (local.get $framing) (then (memory.fill (i32.load offset=16 (global.get $done)) (i32.const 0) (i32.const 12))))
  (global.get $done))
