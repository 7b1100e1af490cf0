;;! tries = "writes a hundred lines of 4,000 bytes to the log in one call"
;;! imports = ["log"]
;;! counted = { log_bytes = 83 }
;;! rows_out = 3
(func $on_process (param $ptr i32) (param $len i32) (result i32) (local $line i32)
  (memory.fill (i32.const 32768) (i32.const 0x78) (i32.const 4000))
  (loop $more
    (call $log (i32.const 2) (i32.const 32768) (i32.const 4000))
    (local.set $line (i32.add (local.get $line) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $line) (i32.const 100))))
  (call $keep_all (local.get $ptr)))
