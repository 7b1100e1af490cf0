;;! tries = "appends to, lists and removes the list of a key that it was not given"
;;! kind = "process"
;;! lists = [["log", ["y: Int64"]]]
;;! imports = ["append", "get_entries", "remove"]
;;! counted = { state_refused = 3 }
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (i32.store (local.get $groups) (i32.const -1))
  (call $append (i32.const 0) (local.get $groups) (i32.const 3) (global.get $message) (global.get $message_bytes)
    (global.get $answer))
  (call $is_refused)
  (call $get_entries (i32.const 0) (local.get $groups) (i32.const 3) (global.get $answer))
  (call $is_refused)
  (call $remove (i32.const 0) (local.get $groups) (i32.const 3) (global.get $answer))
  (call $is_refused)
  (global.get $done))
(func $is_refused
  ;; The answer is an error, `unknown-group`, with the number that was asked for.
  (if (i32.or (i32.ne (i32.load8_u (global.get $answer)) (i32.const 1))
        (i32.or (i32.ne (i32.load8_u offset=4 (global.get $answer)) (i32.const 1))
          (i32.ne (i32.load offset=8 (global.get $answer)) (i32.const -1))))
    (then unreachable)))
