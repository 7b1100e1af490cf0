;;! tries = "refuses its configuration in a message of 10 MB"
;;! ends = "bind"
;;! pages = 200
;;! says = ["could not open: xxxx", "…"]
;;! limits = { output_bytes = 16777216 }
(func $on_open (param i32 i32 i32 i32) (result i32)
  (memory.fill (i32.const 0x100000) (i32.const 0x78) (i32.const 10000000))
  (i32.store offset=8 (global.get $open_failed) (i32.const 0x100000))
  (i32.store offset=12 (global.get $open_failed) (i32.const 10000000))
  (global.get $open_failed))
