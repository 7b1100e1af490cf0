;;! tries = "writes characters to the log that show a text in another order, or hide it"
;;! imports = ["log"]
;;! rows_out = 3
;;! logs = ["pay \\u{202e}001\\u{2066}\\u{200b} crowns"]
(data (i32.const 32768) "pay \e2\80\ae001\e2\81\a6\e2\80\8b crowns")
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $log (i32.const 2) (i32.const 32768) (i32.const 23))
  (call $keep_all (local.get $ptr)))
