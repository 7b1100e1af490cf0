;;! tries = "refuses each row, and the job is told to go on"
;;! on_error = "skip"
;;! rows = 20
;;! rows_out = 0
(func $on_process (param $ptr i32) (param $len i32) (result i32) (local $row i32) (local $at i32)
  (local.set $at (i32.const 32768))
  (loop $next
    (i32.store (local.get $at) (local.get $row))
    (local.set $at (i32.add (local.get $at) (i32.const 20)))
    (local.set $row (i32.add (local.get $row) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $row) (i32.const 20))))
  (drop (call $keep_all (local.get $ptr)))
  (call $set_rejects (i32.const 32768) (i32.const 20))
  (global.get $done))
