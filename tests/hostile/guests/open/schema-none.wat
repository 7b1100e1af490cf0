;;! tries = "has an output with no bytes of schema"
;;! ends = "bind"
;;! counted = { bad_binding = 1 }
;;! kind = "map"
;;! says = ["the schema of output `out`: not an encapsulated Arrow IPC message"]
(func $on_open (param i32 i32 i32 i32) (result i32)
  (i32.store offset=12 (i32.load offset=12 (global.get $binding)) (i32.const 0))
  (global.get $binding))
