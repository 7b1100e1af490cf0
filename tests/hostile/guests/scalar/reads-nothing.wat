;;! tries = "reads none of its arguments"
;;! ends = "bind"
;;! counted = { bad_binding = 1 }
;;! says = ["reads all its arguments"]
;;! kind = "scalar"
(func $on_open (param i32 i32 i32 i32) (result i32)
  (i32.store offset=8 (global.get $binding) (i32.const 0))
  (global.get $binding))
