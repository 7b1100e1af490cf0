;;! tries = "has a function of sixty thousand instructions, each of which needs the one before"
;;! rows_out = 3
;;! compile_seconds = 120
(func $bomb (param i64) (result i64)
  (local.get 0)
  (@repeat 20000 (i64.mul (i64.const %n)) (i64.xor (local.get 0)) ))
