;;! tries = "refuses a row and writes it all the same"
;;! kind = "codec"
;;! drive = "encode"
;;! rows = 1
;;! ends = "run"
;;! counted = { bad_frames = 2 }
;;! says = ["row 0 is refused: plugin-bad-frames"]
(data (i32.const 40000) "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $set_output (global.get $message) (global.get $message_bytes))
  (call $set_rejects (i32.const 40000) (i32.const 1))
  (global.get $done))
