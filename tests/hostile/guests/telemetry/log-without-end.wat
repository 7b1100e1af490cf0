;;! tries = "writes lines to the log without end"
;;! ends = "run"
;;! imports = ["log"]
;;! says = ["deadline exceeded"]
;;! counted = { deadline = 3, log_lines = "many" }
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (loop $more
    (call $log (i32.const 2) (i32.const 32768) (i32.const 0))
    (br $more))
  unreachable)
