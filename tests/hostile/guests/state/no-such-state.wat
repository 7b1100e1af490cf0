;;! tries = "reads a state that it has not declared"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! imports = ["get"]
;;! counted = { state_refused = 1 }
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (call $get (i32.const 7) (local.get $groups) (i32.const 3) (global.get $answer))
  (global.get $done))
