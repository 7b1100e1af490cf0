;;! tries = "adds to a sum what does not fit, takes no notice, and reads it again"
;;! kind = "process"
;;! rows = 1
;;! sums = [["total", ["y: Int64"]]]
;;! imports = ["merge", "get"]
;;! counted = { state_refused = 2 }
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (local $found i32)
  ;; The only number of the message is the greatest that there is.
  (i64.store (i32.add (global.get $at_body) (i32.load (global.get $at_buffer1))) (i64.const 0x7fffffffffffffff))
  (call $add (local.get $groups))
  (if (i32.load8_u (global.get $answer)) (then unreachable))
  ;; Twice more: each time an error, `invalid-batch`.
  (call $add (local.get $groups))
  (if (i32.ne (i32.load8_u offset=4 (global.get $answer)) (i32.const 3)) (then unreachable))
  (call $add (local.get $groups))
  (if (i32.ne (i32.load8_u offset=4 (global.get $answer)) (i32.const 3)) (then unreachable))
  ;; What was there stays: the message that comes back has 64 bytes of body, which begin with the number.
  (call $get (i32.const 0) (local.get $groups) (i32.const 1) (global.get $answer))
  (local.set $found (i32.add (i32.load offset=12 (global.get $answer)) (i32.load offset=16 (global.get $answer))))
  (if (i64.ne (i64.load (i32.sub (local.get $found) (i32.const 64))) (i64.const 0x7fffffffffffffff)) (then unreachable))
  (global.get $done))
(func $add (param $groups i32)
  (call $merge (i32.const 0) (local.get $groups) (i32.const 1) (global.get $message) (global.get $message_bytes)
    (global.get $answer)))
