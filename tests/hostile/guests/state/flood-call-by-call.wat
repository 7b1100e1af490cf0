;;! tries = "appends forty thousand rows to the list of one key, and as many whenever its timer fires"
;;! kind = "process"
;;! rows = 1
;;! lists = [["log", ["y: Int64"]]]
;;! sends_rows = 1024
;;! pages = 64
;;! imports = ["append", "register"]
;;! ends = "run"
;;! counted = { state_entries = 2 }
;;! says = ["in `on-timers`", "more than 65536 entries of one key (group 0)"]
;;! state_bytes = 67108864
;;! limits = { deadline_ms = 5000 }
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (i64.store offset=8 (i32.const 32768) (i64.const 5))
  (call $register (i32.const 32768) (i32.const 1) (global.get $answer))
  (call $flood)
  (global.get $done))
(func $on_timers (param i32 i32) (result i32)
  (call $flood)
  (global.get $done))
(func $flood (local $i i32)
  (loop $next
    (call $append (i32.const 0) (i32.const 0x100000) (i32.const 1024) (global.get $message) (global.get $message_bytes)
      (global.get $answer))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $i) (i32.const 40)))))
