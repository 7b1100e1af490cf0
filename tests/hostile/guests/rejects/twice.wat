;;! tries = "refuses a row twice, to have it counted twice"
;;! counted = { bad_rejects = 8 }
;;! on_error = "dead_letter"
;;! rows_out = 0
;;! refused = ["0 plugin-bad-rejects", "1 plugin-bad-rejects", "2 plugin-bad-rejects"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (drop (call $keep_all (local.get $ptr)))
  (call $set_rejects (i32.const 32768) (i32.const 2))
  (global.get $done))
