;;! tries = "refuses a row that was not given"
;;! kind = "codec"
;;! drive = "encode"
;;! rows = 1
;;! ends = "run"
;;! counted = { bad_rejects = 2 }
;;! says = ["row 0 is refused: plugin-bad-rejects", "it rejects row 9 of a batch of 1 rows"]
(data (i32.const 40000) "\09\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $set_output (global.get $message) (global.get $message_bytes))
  (call $set_rejects (i32.const 40000) (i32.const 1))
  (global.get $done))
