;;! tries = "writes other columns to its state than it has declared"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! imports = ["put"]
;;! sends = ["y: Utf8"]
;;! counted = { state_refused = 1 }
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (call $put (i32.const 0) (local.get $groups) (i32.const 3) (global.get $message) (global.get $message_bytes)
    (global.get $answer))
  (global.get $done))
