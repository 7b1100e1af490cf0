;;! tries = "refuses a row with a code that is not UTF-8"
;;! ends = "run"
;;! counted = { other_trap = 3 }
;;! says = ["trapped in `filter`"]
(data (i32.const 33000) "\ff\ff")
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (i32.store offset=4 (i32.const 32768) (i32.const 33000))
  (i32.store offset=8 (i32.const 32768) (i32.const 2))
  (drop (call $keep_all (local.get $ptr)))
  (call $set_rejects (i32.const 32768) (i32.const 1))
  (global.get $done))
