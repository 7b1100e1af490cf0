;;! tries = "writes a value of two million bytes"
;;! kind = "process"
;;! states = [["kept", ["y: Binary"]]]
;;! sends = ["y: Binary"]
;;! sends_rows = 1
;;! pages = 64
;;! imports = ["put"]
;;! ends = "run"
;;! counted = { state_value = 3 }
;;! says = ["a value of", "the limit is 1048576"]
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  ;; The only value ends two million bytes behind its beginning, and the message is so much longer.
  (i32.store offset=4 (i32.add (global.get $at_body) (i32.load (global.get $at_buffer1))) (i32.const 2000000))
  (i64.store offset=8 (global.get $at_buffer2) (i64.const 2000000))
  (i64.store (global.get $at_body_bytes) (i64.const 2001024))
  (call $put (i32.const 0) (local.get $groups) (i32.const 1) (global.get $message)
    (i32.add (i32.sub (global.get $at_body) (global.get $message)) (i32.const 2001024)) (global.get $answer))
  (global.get $done))
