;;! tries = "sets a timer for a kind of time that does not exist"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! imports = ["register"]
;;! ends = "run"
;;! counted = { other_trap = 3 }
;;! says = ["trapped in `process`"]
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (i32.store (i32.const 32768) (i32.load (local.get $groups)))
  (i32.store8 offset=16 (i32.const 32768) (i32.const 9))
  (call $register (i32.const 32768) (i32.const 1) (global.get $answer))
  (global.get $done))
