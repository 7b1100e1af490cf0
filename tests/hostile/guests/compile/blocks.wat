;;! tries = "has blocks in each other, twenty thousand deep"
;;! rows_out = 3
;;! compile_seconds = 120
(func $bomb
  (@repeat 20000 block )
  (@repeat 20000 end ))
