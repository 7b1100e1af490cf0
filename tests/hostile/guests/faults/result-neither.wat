;;! tries = "answers neither success nor failure, but a third thing"
;;! ends = "run"
;;! counted = { other_trap = 3 }
;;! says = ["trapped in `filter`"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (i32.store8 (global.get $done) (i32.const 7))
  (global.get $done))
