;;! tries = "reports under one name a counter, then a gauge, then a histogram"
;;! counted = { metric_name = 2 }
;;! imports = ["count", "gauge", "record"]
;;! rows_out = 3
(data (i32.const 32768) "xy")
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $count (i32.const 32768) (i32.const 1) (i64.const -1))
  (call $count (i32.const 32768) (i32.const 1) (i64.const -1))
  (call $gauge (i32.const 32768) (i32.const 1) (f64.const 1))
  (call $record (i32.const 32768) (i32.const 1) (f64.const 1))
  (call $keep_all (local.get $ptr)))
