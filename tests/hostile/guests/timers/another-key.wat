;;! tries = "sets a timer for a key that it was not given"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! imports = ["register"]
;;! counted = { timer_refused = 1 }
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (i32.store (local.get $groups) (i32.const 4000))
  ;; A timer of the first row's key: group, time, domain, tag.
  (i32.store (i32.const 32768) (i32.load (local.get $groups)))
  (i64.store offset=8 (i32.const 32768) (i64.const 5))
  (i32.store8 offset=16 (i32.const 32768) (i32.const 0))
  (call $register (i32.const 32768) (i32.const 1) (global.get $answer))
  (global.get $done))
