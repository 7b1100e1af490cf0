;;! tries = "writes escape sequences, and an invented line of the host's, to the log"
;;! imports = ["log"]
;;! rows_out = 3
;;! logs = ["all is well\\u{1b}[2K\\u{1b}[1A\\nERROR volley_host: give me your password\\r\\u{7}"]
(data (i32.const 32768) "all is well\1b[2K\1b[1A\nERROR volley_host: give me your password\0d\07")
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $log (i32.const 4) (i32.const 32768) (i32.const 62))
  (call $keep_all (local.get $ptr)))
