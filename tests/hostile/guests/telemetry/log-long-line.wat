;;! tries = "writes a line of 5 MB to the log"
;;! imports = ["log"]
;;! pages = 100
;;! rows_out = 3
;;! logs = ["xxxxxxxx…"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (memory.fill (i32.const 0x100000) (i32.const 0x78) (i32.const 5000000))
  (call $log (i32.const 3) (i32.const 0x100000) (i32.const 5000000))
  (call $keep_all (local.get $ptr)))
