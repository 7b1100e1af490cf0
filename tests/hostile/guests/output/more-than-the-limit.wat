;;! tries = "answers a few rows with more bytes than a call may put out"
;;! ends = "run"
;;! counted = { transfer_bytes = 3 }
;;! kind = "map"
;;! pages = 100
;;! limits = { output_bytes = 65536 }
;;! says = ["it gave back more than 131072 bytes (`limits.output`, `limits.transfer`)"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $set_output (i32.const 0x100000) (i32.const 0x100000))
  (global.get $done))
