;;! tries = "refuses a row that is not in the batch"
;;! ends = "run"
;;! counted = { bad_rejects = 1 }
;;! says = ["it rejects row 3 of a batch of 3 rows"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (i32.store (i32.const 32768) (i32.const 3))
  (drop (call $keep_all (local.get $ptr)))
  (call $set_rejects (i32.const 32768) (i32.const 1))
  (global.get $done))
