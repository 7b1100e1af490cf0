;;! tries = "reports numbers under ten thousand names"
;;! counted = { metric_series = 9936 }
;;! imports = ["count"]
;;! limits = { deadline_ms = 5000 }
;;! rows_out = 3
(data (i32.const 32768) "n_aaaa")
(func $on_process (param $ptr i32) (param $len i32) (result i32) (local $number i32)
  (loop $more
    ;; Four hexadecimal digits as letters from `a` on.
    (i32.store8 (i32.const 32770) (i32.add (i32.const 97) (i32.shr_u (local.get $number) (i32.const 12))))
    (i32.store8 (i32.const 32771)
      (i32.add (i32.const 97) (i32.and (i32.shr_u (local.get $number) (i32.const 8)) (i32.const 15))))
    (i32.store8 (i32.const 32772)
      (i32.add (i32.const 97) (i32.and (i32.shr_u (local.get $number) (i32.const 4)) (i32.const 15))))
    (i32.store8 (i32.const 32773) (i32.add (i32.const 97) (i32.and (local.get $number) (i32.const 15))))
    (call $count (i32.const 32768) (i32.const 6) (i64.const 1))
    (local.set $number (i32.add (local.get $number) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $number) (i32.const 10000))))
  (call $keep_all (local.get $ptr)))
