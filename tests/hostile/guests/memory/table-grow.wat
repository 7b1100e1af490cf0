;;! tries = "grows a table until it gets no more, and crashes then"
;;! ends = "run"
;;! counted = { table = 3 }
;;! says = ["trapped in `filter`"]
(table $table 1 funcref)
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (loop $more
    (br_if $more (i32.ne (table.grow $table (ref.null func) (i32.const 10000)) (i32.const -1))))
  unreachable)
