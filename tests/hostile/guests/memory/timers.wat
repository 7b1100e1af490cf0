;;! tries = "sets timers without end, and keeps each"
;;! ends = "run"
;;! counted = { handles = 3 }
;;! wasi = true
;;! imports = ["after"]
;;! says = ["it holds 1024 handles"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (loop $more
    (drop (call $after (i64.const 1)))
    (br $more))
  unreachable)
