;;! tries = "has a text that ends 2 GiB behind its column"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! writes = ["y: Utf8"]
;;! says = ["map"]
(func $lie
  (i32.store offset=12 (i32.add (global.get $at_body) (i32.load (global.get $at_buffer1))) (i32.const 0x7fffffff)))
