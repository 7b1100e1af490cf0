;;! tries = "is a map without an output"
;;! ends = "bind"
;;! counted = { bad_binding = 1 }
;;! kind = "map"
;;! says = ["a map has exactly one output, it names 0"]
(func $on_open (param i32 i32 i32 i32) (result i32)
  (i32.store offset=16 (global.get $binding) (i32.const 0))
  (global.get $binding))
