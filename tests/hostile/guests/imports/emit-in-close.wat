;;! tries = "emits rows in `close`, when the batch is through"
;;! counted = { emit_refused = 1 }
;;! kind = "flat-map"
;;! rows_out = 3
(func $on_close
  (drop (call $emit_message (i32.const 0))))
