;;! tries = "says that its answer lies where no record may begin"
;;! ends = "run"
;;! counted = { other_trap = 3 }
;;! says = ["not aligned"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (i32.add (global.get $done) (i32.const 1)))
