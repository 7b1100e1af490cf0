;;! tries = "removes the state of one key more than a million times"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! pages = 64
;;! imports = ["remove"]
;;! ends = "run"
;;! counted = { state_entries = 3 }
;;! says = ["entries of state in one call; the limit is 1048576"]
;;! limits = { deadline_ms = 2000 }
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
(local $i i32)
  ;; Memory that nobody has written to is a list of the first key.
  (loop $next
    (call $remove (i32.const 0) (i32.const 0x100000) (i32.const 200000) (global.get $answer))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $i) (i32.const 6))))
  (global.get $done))
