;;! tries = "reads a million columns"
;;! ends = "bind"
;;! counted = { transfer_bytes = 1 }
;;! pages = 240
;;! says = ["`open`"]
(func $on_open (param i32 i32 i32 i32) (result i32)
  (i32.store offset=4 (global.get $binding) (i32.const 0x200000))
  (i32.store offset=8 (global.get $binding) (i32.const 1000000))
  (global.get $binding))
