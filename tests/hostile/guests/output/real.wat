;;! tries = "gives an answer of 65 MiB that is really there"
;;! ends = "run"
;;! counted = { output_bytes = 3 }
;;! kind = "map"
;;! pages = 1100
;;! says = ["map"]
;;! limits = { memory = 134217728, output_bytes = 67108864, transfer = 268435456, deadline_ms = 5000 }
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $set_output (i32.const 0x100000) (i32.const 0x4100000))
  (global.get $done))
