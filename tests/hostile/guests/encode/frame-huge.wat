;;! tries = "writes more bytes than one call may"
;;! kind = "codec"
;;! drive = "encode"
;;! rows = 1
;;! pages = 128
;;! ends = "run"
;;! counted = { output_bytes = 2 }
;;! says = ["row 0 is refused: plugin-output-bytes", "the limit is 4194304"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  ;; The only frame ends five million bytes behind its beginning, and the message is so much longer.
  (i32.store offset=4 (i32.add (global.get $at_body) (i32.load (global.get $at_buffer1))) (i32.const 5000000))
  (i64.store offset=8 (global.get $at_buffer2) (i64.const 5000000))
  (i64.store (global.get $at_body_bytes) (i64.const 5001024))
  (call $set_output (global.get $message)
    (i32.add (i32.sub (global.get $at_body) (global.get $message)) (i32.const 5001024)))
  (global.get $done))
