;;! tries = "writes escape sequences to standard error"
;;! wasi = true
;;! imports = ["stderr", "write"]
;;! rows_out = 3
;;! logs = ["all is well\\u{1b}[2J"]
(data (i32.const 32768) "all is well\1b[2J\n")
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $write (call $stderr) (i32.const 32768) (i32.const 16) (i32.const 33000))
  (call $keep_all (local.get $ptr)))
