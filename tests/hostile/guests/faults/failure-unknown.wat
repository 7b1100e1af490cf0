;;! tries = "fails in a way that the contract does not have"
;;! ends = "run"
;;! counted = { other_trap = 3 }
;;! says = ["trapped in `filter`"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (i32.store8 offset=8 (global.get $fatal) (i32.const 99))
  (global.get $fatal))
