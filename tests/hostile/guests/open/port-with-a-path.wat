;;! tries = "names its output as a file two folders up"
;;! ends = "bind"
;;! counted = { bad_binding = 1 }
;;! kind = "map"
;;! says = ["an output is misnamed"]
(data (i32.const 32768) "../../etc")
(func $on_open (param i32 i32 i32 i32) (result i32)
  (i32.store (i32.load offset=12 (global.get $binding)) (i32.const 32768))
  (i32.store offset=4 (i32.load offset=12 (global.get $binding)) (i32.const 9))
  (global.get $binding))
