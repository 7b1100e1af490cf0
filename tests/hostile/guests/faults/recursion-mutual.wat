;;! tries = "has two functions that call each other without end, with much on the stack"
;;! ends = "run"
;;! counted = { stack_overflow = 3 }
;;! says = ["it ran out of stack"]
(func $ping (param i64 i64 i64 i64 i64 i64 i64 i64)
  (call $pong (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5) (local.get 6)
    (i64.add (local.get 7) (i64.const 1)))
  (drop (i64.load (i32.wrap_i64 (local.get 7)))))
(func $pong (param i64 i64 i64 i64 i64 i64 i64 i64)
  (call $ping (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5) (local.get 6)
    (i64.add (local.get 7) (i64.const 1)))
  (drop (i64.load (i32.wrap_i64 (local.get 7)))))
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $ping (i64.const 1) (i64.const 1) (i64.const 1) (i64.const 1) (i64.const 1) (i64.const 1) (i64.const 1)
    (i64.const 1))
  (global.get $done))
