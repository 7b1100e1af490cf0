;;! tries = "writes far outside its memory"
;;! ends = "run"
;;! counted = { out_of_bounds = 3 }
;;! says = ["it reached outside its memory"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (i64.store offset=0xffffffff (i32.const -1) (i64.const -1))
  (global.get $done))
