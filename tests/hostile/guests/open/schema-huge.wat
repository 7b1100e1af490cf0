;;! tries = "has an output with a schema of 2 MiB"
;;! ends = "bind"
;;! counted = { bad_binding = 1 }
;;! kind = "map"
;;! pages = 100
;;! says = ["the schema of output `out`: the message has 2097152 bytes; the limit is 1048576"]
(func $on_open (param i32 i32 i32 i32) (result i32)
  (i32.store offset=12 (i32.load offset=12 (global.get $binding)) (i32.const 0x200000))
  (global.get $binding))
