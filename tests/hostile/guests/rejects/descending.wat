;;! tries = "refuses the third row and then the first"
;;! ends = "run"
;;! on_error = "dead_letter"
;;! says = ["it rejects row 0 after row 2: rejects ascend"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (i32.store (i32.const 32768) (i32.const 2))
  (drop (call $keep_all (local.get $ptr)))
  (call $set_rejects (i32.const 32768) (i32.const 2))
  (global.get $done))
