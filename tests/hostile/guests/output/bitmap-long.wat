;;! tries = "judges eight million rows of three"
;;! ends = "run"
;;! counted = { bad_bitmap = 1 }
;;! says = ["a bitmap of 1000000 bytes for 3 rows, where 1 are due"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $set_output (i32.const 0) (i32.const 1000000))
  (global.get $done))
