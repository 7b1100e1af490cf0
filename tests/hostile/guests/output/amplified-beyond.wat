;;! tries = "makes five thousand rows of one row, where a hundred are allowed"
;;! ends = "run"
;;! counted = { amplification = 2 }
;;! kind = "flat-map"
;;! writes = []
;;! rows = 1
;;! sends_rows = 5000
;;! limits = { rows_per_row = 100 }
;;! says = ["put out too much", "`limits.rows_per_row`"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (memory.fill (global.get $parents) (i32.const 0) (i32.const 20000))
  (call $emit_message (i32.const 0)))
