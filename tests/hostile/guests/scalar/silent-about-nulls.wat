;;! tries = "does not say what it does about nulls"
;;! ends = "bind"
;;! counted = { bad_binding = 1 }
;;! says = ["what it does about nulls"]
;;! kind = "scalar"
(func $on_open (param i32 i32 i32 i32) (result i32)
  (i32.store8 offset=20 (global.get $binding) (i32.const 0))
  (global.get $binding))
