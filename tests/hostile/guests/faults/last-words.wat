;;! tries = "panics with a message of 10 MB"
;;! ends = "run"
;;! imports = ["log"]
;;! pages = 200
;;! says = ["it panicked or aborted", "it last logged: xxxx", "…"]
;;! limits = { output_bytes = 16777216 }
;;! counted = { unreachable = 3 }
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (memory.fill (i32.const 0x100000) (i32.const 0x78) (i32.const 10000000))
  (call $log (i32.const 4) (i32.const 0x100000) (i32.const 10000000))
  unreachable)
