;;! tries = "sets the same timer a hundred thousand times in one call"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! pages = 64
;;! imports = ["register"]
;;! ends = "run"
;;! counted = { timers = 3 }
;;! says = ["100000 timers in one call; the limit is 65536"]
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  ;; Memory that nobody has written to is a list of timers of the first key at the time 0.
  (call $register (i32.const 0x100000) (i32.const 100000) (global.get $answer))
  (global.get $done))
