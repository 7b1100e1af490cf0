;;! tries = "never comes back from `close`"
;;! ends = "close"
;;! says = ["deadline exceeded", "trapped in `close`"]
;;! rows_out = 3
(func $on_close
  (loop $forever (br $forever)))
