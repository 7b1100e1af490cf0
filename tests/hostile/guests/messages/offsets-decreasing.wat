;;! tries = "has a text that ends before it begins"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! writes = ["y: Utf8"]
;;! says = ["map"]
(func $lie
  (i32.store offset=4 (i32.add (global.get $at_body) (i32.load (global.get $at_buffer1))) (i32.const 3))
  (i32.store offset=8 (i32.add (global.get $at_body) (i32.load (global.get $at_buffer1))) (i32.const 1)))
