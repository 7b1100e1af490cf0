;;! tries = "writes lists of lists without any items, whose offsets all say nothing"
;;! kind = "map"
;;! writes = ["y: List(List(Int64))"]
;;! rows_out = 3
(func $lie
  (memory.fill (i32.add (global.get $at_body) (i32.load (global.get $at_buffer1))) (i32.const 0) (i32.const 16)))
