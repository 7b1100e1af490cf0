;;! tries = "writes a hundred thousand bytes for each key that is new, until the memory for state is full"
;;! kind = "process"
;;! rows = 100
;;! states = [["kept", ["y: Binary"]]]
;;! sends = ["y: Binary"]
;;! sends_rows = 1
;;! pages = 64
;;! imports = ["put"]
;;! ends = "run"
;;! always = true
;;! says = ["its state `kept` does not fit: all state in memory may take 4 MiB", "raise the limit"]
;;! limits = { deadline_ms = 5000 }
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (local $i i32)
  ;; The only value ends a hundred thousand bytes behind its beginning, and the message is so much longer.
  (i32.store offset=4 (i32.add (global.get $at_body) (i32.load (global.get $at_buffer1))) (i32.const 100000))
  (i64.store offset=8 (global.get $at_buffer2) (i64.const 100000))
  (i64.store (global.get $at_body_bytes) (i64.const 101024))
  (loop $next
    (call $put (i32.const 0) (i32.add (local.get $groups) (i32.mul (local.get $i) (i32.const 4))) (i32.const 1)
      (global.get $message) (i32.add (i32.sub (global.get $at_body) (global.get $message)) (i32.const 101024))
      (global.get $answer))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $i) (local.get $count))))
  (global.get $done))
