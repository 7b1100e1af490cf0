;;! tries = "emits the same rows without end"
;;! ends = "run"
;;! kind = "flat-map"
;;! limits = { deadline_ms = 2000, output_rows = 3000 }
;;! says = ["put out too much"]
;;! rows = 1
;;! counted = { output_rows = 2 }
(func $on_process (param $ptr i32) (param $len i32) (result i32) (local $answer i32)
  (loop $more
    (local.set $answer (call $emit_message (i32.const 0)))
    (br_if $more (i32.eq (local.get $answer) (global.get $done))))
  (local.get $answer))
