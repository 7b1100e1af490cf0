;;! tries = "has a branch with fifty thousand targets"
;;! rows_out = 3
;;! compile_seconds = 120
(func $bomb (param i32)
  block
  (br_table (@repeat 50000 0 ) 0 (local.get 0))
  end)
