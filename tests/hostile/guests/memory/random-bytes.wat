;;! tries = "asks for 4 GiB of random bytes, which the host would have to hold"
;;! ends = "run"
;;! counted = { other_trap = 3 }
;;! wasi = true
;;! imports = ["bytes"]
;;! says = ["4294967296 bytes at once; the limit is 65536"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $bytes (i64.const 0x100000000) (i32.const 32768))
  (global.get $done))
