;;! tries = "says where two frames begin, and writes one"
;;! kind = "codec"
;;! drive = "encode"
;;! rows = 1
;;! ends = "run"
;;! counted = { wrong_rows = 2 }
;;! says = ["row 0 is refused: plugin-wrong-rows", "the first rows of 2 frames, and 1 frames"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $set_output (global.get $message) (global.get $message_bytes))
  (i32.store offset=20 (global.get $done) (i32.const 2))
  (global.get $done))
