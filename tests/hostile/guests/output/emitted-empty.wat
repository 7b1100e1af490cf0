;;! tries = "emits a hundred thousand batches without rows"
;;! ends = "run"
;;! kind = "flat-map"
;;! sends_rows = 0
;;! limits = { deadline_ms = 5000 }
;;! says = ["stops the job: limit-exceeded"]
(func $on_process (param $ptr i32) (param $len i32) (result i32) (local $answer i32) (local $count i32)
  (loop $more
    (local.set $answer (call $emit_message (i32.const 0)))
    (if (i32.ne (local.get $answer) (global.get $done)) (then (return (local.get $answer))))
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $count) (i32.const 100000))))
  (global.get $done))
