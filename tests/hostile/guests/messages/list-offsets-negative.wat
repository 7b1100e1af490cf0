;;! tries = "has a list that begins at minus one"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! writes = ["y: List(Int64)"]
;;! says = ["map"]
(func $lie
  (i32.store (i32.add (global.get $at_body) (i32.load (global.get $at_buffer1))) (i32.const -1)))
