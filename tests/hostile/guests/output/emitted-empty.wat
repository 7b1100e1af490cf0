;;! tries = "emits a hundred thousand batches without rows"
;;! ends = "run"
;;! kind = "flat-map"
;;! sends_rows = 0
;;! says = ["put out too much"]
;;! limits = { deadline_ms = 10000, output_bytes = 67108864 }
;;! rows = 1
;;! counted = { emits = 2 }
(func $on_process (param $ptr i32) (param $len i32) (result i32) (local $answer i32) (local $count i32)
  (loop $more
    (local.set $answer (call $emit_message (i32.const 0)))
    (if (i32.ne (local.get $answer) (global.get $done)) (then (return (local.get $answer))))
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $count) (i32.const 100000))))
  (global.get $done))
