;;! tries = "has a character of two bytes, one in each of two texts"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! writes = ["y: Utf8"]
;;! says = ["map"]
(func $lie
  (i32.store16 (i32.add (global.get $at_body) (i32.load (global.get $at_buffer2))) (i32.const 0xa9c3)))
