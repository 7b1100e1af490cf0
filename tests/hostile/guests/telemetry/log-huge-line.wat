;;! tries = "writes a line of 50 MB to the log"
;;! ends = "run"
;;! counted = { transfer_bytes = 3 }
;;! imports = ["log"]
;;! pages = 800
;;! limits = { memory = 67108864, deadline_ms = 5000 }
;;! says = ["it gave back more than 8388608 bytes"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (memory.fill (i32.const 0x100000) (i32.const 0x78) (i32.const 50000000))
  (call $log (i32.const 3) (i32.const 0x100000) (i32.const 50000000))
  (call $keep_all (local.get $ptr)))
