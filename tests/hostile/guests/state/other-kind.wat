;;! tries = "appends to a state that is no list"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! imports = ["append"]
;;! counted = { state_refused = 1 }
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (call $append (i32.const 0) (local.get $groups) (i32.const 3) (global.get $message) (global.get $message_bytes)
    (global.get $answer))
  (global.get $done))
