;;! tries = "panics in `close`, when all rows are through"
;;! ends = "close"
;;! counted = { unreachable = 1 }
;;! rows_out = 3
;;! says = ["trapped in `close`"]
(func $on_close unreachable)
