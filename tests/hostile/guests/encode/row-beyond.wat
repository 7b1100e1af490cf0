;;! tries = "says that a frame begins at a row that was not given"
;;! kind = "codec"
;;! drive = "encode"
;;! rows = 1
;;! ends = "run"
;;! counted = { bad_frames = 2 }
;;! says = ["row 0 is refused: plugin-bad-frames"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $set_output (global.get $message) (global.get $message_bytes))
  (i32.store (i32.load offset=16 (global.get $done)) (i32.const 7))
  (global.get $done))
