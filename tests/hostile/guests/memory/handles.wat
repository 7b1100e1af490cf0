;;! tries = "asks for standard output without end, and keeps each handle"
;;! ends = "run"
;;! counted = { handles = 3 }
;;! wasi = true
;;! imports = ["stdout"]
;;! says = ["it holds 1024 handles"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (loop $more
    (drop (call $stdout))
    (br $more))
  unreachable)
