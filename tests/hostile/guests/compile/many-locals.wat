;;! tries = "has a function with forty thousand variables, which is allowed"
;;! rows_out = 3
;;! compile_seconds = 120
(func $bomb (@repeat 40000 (local i64)))
