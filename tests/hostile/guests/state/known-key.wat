;;! tries = "writes, when a timer of one key fires, the state of another key, whose number it knows"
;;! kind = "process"
;;! sends_rows = 1
;;! states = [["kept", ["y: Int64"]]]
;;! maps = [["seen", ["k: Int64"], ["y: Int64"]]]
;;! lists = [["log", ["y: Int64"]]]
;;! sums = [["total", ["y: Int64"]]]
;;! imports = ["register", "put", "map_put", "append", "merge"]
;;! counted = { state_refused = 4 }
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  ;; A timer of the first row's key: group, time, domain, tag. The second row's is the other key.
  (i32.store (i32.const 32768) (i32.load (local.get $groups)))
  (i64.store offset=8 (i32.const 32768) (i64.const 5))
  (call $register (i32.const 32768) (i32.const 1) (global.get $answer))
  (i32.store (i32.const 40000) (i32.load offset=4 (local.get $groups)))
  (global.get $done))
(func $on_timers (param i32 i32) (result i32)
  (call $put (i32.const 0) (i32.const 40000) (i32.const 1) (global.get $message) (global.get $message_bytes)
    (global.get $answer))
  (call $is_refused)
  (call $map_put (i32.const 1) (i32.const 40000) (i32.const 1) (global.get $message) (global.get $message_bytes)
    (global.get $message) (global.get $message_bytes) (global.get $answer))
  (call $is_refused)
  (call $append (i32.const 2) (i32.const 40000) (i32.const 1) (global.get $message) (global.get $message_bytes)
    (global.get $answer))
  (call $is_refused)
  (call $merge (i32.const 3) (i32.const 40000) (i32.const 1) (global.get $message) (global.get $message_bytes)
    (global.get $answer))
  (call $is_refused)
  (global.get $done))
(func $is_refused
  ;; The answer is an error, `unknown-group`, with the number that was asked for.
  (if (i32.or (i32.ne (i32.load8_u (global.get $answer)) (i32.const 1))
        (i32.or (i32.ne (i32.load8_u offset=4 (global.get $answer)) (i32.const 1))
          (i32.ne (i32.load offset=8 (global.get $answer)) (i32.load (i32.const 40000)))))
    (then unreachable)))
