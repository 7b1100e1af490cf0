;;! tries = "reports what is no number, and infinity"
;;! counted = { metric_name = 3 }
;;! imports = ["gauge", "record"]
;;! rows_out = 3
(data (i32.const 32768) "xy")
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $gauge (i32.const 32768) (i32.const 1) (f64.const nan))
  (call $record (i32.const 32769) (i32.const 1) (f64.const inf))
  (call $record (i32.const 32769) (i32.const 1) (f64.const nan:0x1))
  (call $keep_all (local.get $ptr)))
