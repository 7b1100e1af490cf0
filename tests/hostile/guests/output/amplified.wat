;;! tries = "makes five thousand rows of one row with a long text that it never saw"
;;! kind = "flat-map"
;;! writes = []
;;! rows = 1
;;! sends_rows = 5000
;;! long_text = 20000
;;! rows_out = 5000
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  ;; All parents are the first row.
  (memory.fill (global.get $parents) (i32.const 0) (i32.const 20000))
  (call $emit_message (i32.const 0)))
