;;! tries = "copies what lies behind its memory into it"
;;! ends = "run"
;;! counted = { out_of_bounds = 3 }
;;! says = ["it reached outside its memory"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (memory.copy (i32.const 0) (i32.const -4096) (i32.const 4096))
  (global.get $done))
