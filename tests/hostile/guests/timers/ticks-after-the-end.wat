;;! tries = "sets a later timer whenever one fires, also when the input has ended"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! imports = ["register"]
;;! counted = { timers = 2 }
;;! ends = "run"
;;! says = ["since the input has ended", "register a timer only where something waits for it"]
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  ;; A timer of the first row's key: group, time, domain, tag.
  (i32.store (i32.const 32768) (i32.load (local.get $groups)))
  (i64.store offset=8 (i32.const 32768) (i64.const 5))
  (i32.store8 offset=16 (i32.const 32768) (i32.const 0))
  (call $register (i32.const 32768) (i32.const 1) (global.get $answer))
  (global.get $done))
(func $on_timers (param $timers i32) (param $count i32) (result i32)
  (i64.store offset=8 (local.get $timers) (i64.add (i64.const 1000) (i64.load offset=8 (local.get $timers))))
  (call $register (local.get $timers) (local.get $count) (global.get $answer))
  (global.get $unit))
