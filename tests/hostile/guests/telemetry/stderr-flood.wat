;;! tries = "writes four hundred thousand lines to standard error"
;;! wasi = true
;;! imports = ["stderr", "write"]
;;! limits = { deadline_ms = 20000 }
;;! counted = { log_lines = "many" }
;;! rows_out = 3
(func $on_process (param $ptr i32) (param $len i32) (result i32) (local $count i32) (local $stream i32)
  (memory.fill (i32.const 0x80000) (i32.const 0x0a) (i32.const 4096))
  (local.set $stream (call $stderr))
  (loop $more
    (call $write (local.get $stream) (i32.const 0x80000) (i32.const 4096) (i32.const 33000))
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $count) (i32.const 100))))
  (call $keep_all (local.get $ptr)))
