;;! tries = "reads a value of a million bytes a hundred thousand times in one call"
;;! kind = "process"
;;! states = [["kept", ["y: Binary"]]]
;;! sends = ["y: Binary"]
;;! sends_rows = 1
;;! pages = 64
;;! imports = ["put", "get"]
;;! ends = "run"
;;! counted = { state_value = 3 }
;;! says = ["more than 67108864 bytes of state read in one call"]
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (local $at i32)
  ;; The only value ends a million bytes behind its beginning, and the message is so much longer.
  (i32.store offset=4 (i32.add (global.get $at_body) (i32.load (global.get $at_buffer1))) (i32.const 1000000))
  (i64.store offset=8 (global.get $at_buffer2) (i64.const 1000000))
  (i64.store (global.get $at_body_bytes) (i64.const 1001024))
  (call $put (i32.const 0) (local.get $groups) (i32.const 1) (global.get $message)
    (i32.add (i32.sub (global.get $at_body) (global.get $message)) (i32.const 1001024)) (global.get $answer))
  (local.set $at (i32.const 3000000))
  (loop $next
    (i32.store (local.get $at) (i32.load (local.get $groups)))
    (local.set $at (i32.add (local.get $at) (i32.const 4)))
    (br_if $next (i32.lt_u (local.get $at) (i32.const 3400000))))
  (call $get (i32.const 0) (i32.const 3000000) (i32.const 100000) (global.get $answer))
  (global.get $done))
