;;! tries = "takes all memory whenever one row is in the batch"
;;! counted = { memory = 5 }
;;! rows = 8
;;! poison = 7
;;! on_error = "dead_letter"
;;! refused = ["7 plugin-memory"]
;;! rows_out = 7
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (if (call $poisoned (local.get $ptr) (local.get $len))
    (then
      (loop $more
        (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
      unreachable))
  (call $keep_all (local.get $ptr)))
