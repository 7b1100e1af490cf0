;;! tries = "claims an answer of 2 GiB, most of it outside its memory"
;;! ends = "run"
;;! counted = { transfer_bytes = 3 }
;;! kind = "map"
;;! says = ["trapped in `map`"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $set_output (local.get $ptr) (i32.const 0x7fffffff))
  (global.get $done))
