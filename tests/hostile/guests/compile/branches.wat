;;! tries = "has a branch with fifty thousand targets"
;;! rows_out = 3
(func $bomb (param i32)
  block
  (br_table (@repeat 50000 0 ) 0 (local.get 0))
  end)
