;;! tries = "crashes in a function with a name of 100,000 characters"
;;! ends = "run"
;;! counted = { unreachable = 3 }
;;! says = ["in function oooo", "…"]
(func $(@repeat 100000 o) unreachable)
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $(@repeat 100000 o))
  (global.get $done))
