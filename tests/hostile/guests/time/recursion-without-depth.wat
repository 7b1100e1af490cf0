;;! tries = "calls itself twice at each of sixty levels: little stack, and no end"
;;! ends = "run"
;;! counted = { deadline = 3 }
;;! says = ["deadline exceeded"]
(func $twice (param $level i32)
  (if (local.get $level)
    (then
      (call $twice (i32.sub (local.get $level) (i32.const 1)))
      (call $twice (i32.sub (local.get $level) (i32.const 1))))))
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $twice (i32.const 60))
  (call $keep_all (local.get $ptr)))
