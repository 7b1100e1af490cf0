;;! tries = "never comes back whenever one row is in the batch"
;;! counted = { deadline = 4 }
;;! rows = 4
;;! poison = 1
;;! on_error = "dead_letter"
;;! refused = ["1 plugin-deadline"]
;;! rows_out = 3
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (if (call $poisoned (local.get $ptr) (local.get $len)) (then (loop $forever (br $forever))))
  (call $keep_all (local.get $ptr)))
