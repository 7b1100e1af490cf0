;;! tries = "refuses a frame that was not given"
;;! rows = 1
;;! rows_out = 0
;;! counted = { bad_rejects = 2 }
;;! refused = ["0 plugin-bad-rejects"]
;;! in_a_file = ["it rejects frame 9"]
;;! kind = "codec"
(data (i32.const 40000) "\09\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")
(func $on_process (param $framing i32) (param $ptr i32) (param $len i32) (param $end i32) (result i32)
  (call $set_output (global.get $message) (global.get $message_bytes))
  (call $set_rejects (i32.const 40000) (i32.const 1))
  (global.get $done))
