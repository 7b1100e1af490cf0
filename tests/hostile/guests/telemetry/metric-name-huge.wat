;;! tries = "reports a number under a name of 10 MB"
;;! imports = ["count"]
;;! pages = 200
;;! rows_out = 3
;;! limits = { output_bytes = 16777216, deadline_ms = 5000 }
;;! counted = { metric_name = 1 }
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (memory.fill (i32.const 0x100000) (i32.const 0x78) (i32.const 10000000))
  (call $count (i32.const 0x100000) (i32.const 10000000) (i64.const 1))
  (call $keep_all (local.get $ptr)))
