;;! tries = "reads the state of keys whose numbers lie outside its memory"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! imports = ["get"]
;;! ends = "run"
;;! counted = { other_trap = 3 }
;;! says = ["trapped in `process`"]
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (call $get (i32.const 0) (i32.const -64) (i32.const 1000) (global.get $answer))
  (global.get $done))
