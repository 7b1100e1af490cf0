;;! tries = "has ten thousand outputs"
;;! ends = "bind"
;;! counted = { bad_binding = 1 }
;;! kind = "flat-map"
;;! says = ["a flat-map has 1 to 64 outputs, it names 10000"]
(func $on_open (param i32 i32 i32 i32) (result i32)
  (i32.store offset=12 (global.get $binding) (i32.const 0x80000))
  (i32.store offset=16 (global.get $binding) (i32.const 10000))
  (global.get $binding))
