;;! tries = "never comes back from `close`"
;;! ends = "close"
;;! counted = { deadline = 1 }
;;! says = ["deadline exceeded", "trapped in `close`"]
;;! rows_out = 3
(func $on_close
  (loop $forever (br $forever)))
