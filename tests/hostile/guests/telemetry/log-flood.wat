;;! tries = "writes ten thousand lines to the log in one call"
;;! counted = { log_lines = 9744 }
;;! imports = ["log"]
;;! limits = { deadline_ms = 5000 }
;;! rows_out = 3
;;! logs = ["flood"]
(data (i32.const 32768) "flood")
(func $on_process (param $ptr i32) (param $len i32) (result i32) (local $line i32)
  (loop $more
    (call $log (i32.const 2) (i32.const 32768) (i32.const 5))
    (local.set $line (i32.add (local.get $line) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $line) (i32.const 10000))))
  (call $keep_all (local.get $ptr)))
