;;! tries = "gives no bytes at all"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "scalar"
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (global.get $done))
