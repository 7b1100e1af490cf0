;;! tries = "has no columns for its rows"
;;! ends = "bind"
;;! counted = { bad_binding = 1 }
;;! says = ["exactly one output"]
;;! kind = "codec"
(func $on_open (param i32 i32 i32 i32) (result i32)
  (i32.store offset=16 (global.get $binding) (i32.const 0))
  (global.get $binding))
