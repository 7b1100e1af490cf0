;;! tries = "has a name of 8 MB"
;;! pages = 200
;;! rows_out = 3
(func $on_describe (result i32)
  (memory.fill (i32.const 0x100000) (i32.const 0x78) (i32.const 8000000))
  (i32.store (global.get $description) (i32.const 0x100000))
  (i32.store offset=4 (global.get $description) (i32.const 8000000))
  (global.get $description))
