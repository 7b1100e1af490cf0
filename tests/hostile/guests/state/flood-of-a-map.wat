;;! tries = "puts a hundred thousand entries into the map of one key"
;;! kind = "process"
;;! maps = [["seen", ["k: Int64"], ["y: Int64"]]]
;;! sends_rows = 1024
;;! pages = 64
;;! imports = ["map_put"]
;;! ends = "run"
;;! counted = { state_entries = 3 }
;;! says = ["more than 65536 entries of one key (group 0)"]
;;! limits = { deadline_ms = 5000 }
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (local $i i32)
  ;; Memory that nobody has written to is a list of the first key.
  (loop $next
    (call $map_put (i32.const 0) (i32.const 0x100000) (i32.const 1024) (global.get $message) (global.get $message_bytes)
      (global.get $message) (global.get $message_bytes) (global.get $answer))
    (call $others)
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $i) (i32.const 100))))
  (global.get $done))
;; Adds 1,024 to each of the numbers in the message: keys that are new.
(func $others (local $at i32) (local $end i32)
  (local.set $at (i32.add (global.get $at_body) (i32.load (global.get $at_buffer1))))
  (local.set $end (i32.add (local.get $at) (i32.const 8192)))
  (loop $next
    (i64.store (local.get $at) (i64.add (i64.load (local.get $at)) (i64.const 1024)))
    (local.set $at (i32.add (local.get $at) (i32.const 8)))
    (br_if $next (i32.lt_u (local.get $at) (local.get $end)))))
