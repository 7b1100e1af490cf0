;;! tries = "judges eight of seventeen rows"
;;! ends = "run"
;;! counted = { bad_bitmap = 1 }
;;! rows = 17
;;! says = ["a bitmap of 1 bytes for 17 rows, where 3 are due"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $set_output (local.get $ptr) (i32.const 1))
  (global.get $done))
