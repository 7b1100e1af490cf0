;;! tries = "appends a hundred thousand rows to the list of one key"
;;! kind = "process"
;;! lists = [["log", ["y: Int64"]]]
;;! sends_rows = 1024
;;! pages = 64
;;! imports = ["append"]
;;! ends = "run"
;;! counted = { state_entries = 3 }
;;! says = ["more than 65536 entries of one key (group 0)"]
;;! limits = { deadline_ms = 5000 }
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (local $i i32)
  ;; Memory that nobody has written to is a list of the first key.
  (loop $next
    (call $append (i32.const 0) (i32.const 0x100000) (i32.const 1024) (global.get $message) (global.get $message_bytes)
      (global.get $answer))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $i) (i32.const 100))))
  (global.get $done))
