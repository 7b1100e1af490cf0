;;! tries = "asks for the same timers again, always"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! imports = ["register"]
;;! ends = "run"
;;! counted = { retries = 1 }
;;! says = ["asked 5 times to be called again", "is away for longer: with `restart:` the job tries again later"]
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  ;; A timer of the first row's key: group, time, domain, tag.
  (i32.store (i32.const 32768) (i32.load (local.get $groups)))
  (i64.store offset=8 (i32.const 32768) (i64.const 5))
  (call $register (i32.const 32768) (i32.const 1) (global.get $answer))
  (global.get $done))
(func $on_timers (param i32 i32) (result i32)
  (global.get $retry))
