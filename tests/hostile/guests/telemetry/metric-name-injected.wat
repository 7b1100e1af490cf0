;;! tries = "reports a number under a name that is a line of the metrics page itself"
;;! counted = { metric_name = 1 }
;;! imports = ["count"]
;;! rows_out = 3
(data (i32.const 32768) "x 1\nvolley_plugin_traps_total 0\n#")
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $count (i32.const 32768) (i32.const 33) (i64.const 1))
  (call $keep_all (local.get $ptr)))
