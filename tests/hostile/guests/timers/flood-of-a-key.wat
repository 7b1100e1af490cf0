;;! tries = "sets two thousand timers for one key"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! imports = ["register"]
;;! ends = "run"
;;! counted = { timers = 3 }
;;! says = ["1025 timers of one key; the limit is 1024"]
;;! limits = { deadline_ms = 2000 }
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
(local $i i32)
  (loop $next
    (i32.store (i32.const 32768) (i32.load (local.get $groups)))
    (i64.store offset=8 (i32.const 32768) (i64.extend_i32_u (local.get $i)))
    (call $register (i32.const 32768) (i32.const 1) (global.get $answer))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $i) (i32.const 2000))))
  (global.get $done))
