;;! tries = "fills and copies a table of 90,000 elements over and over"
;;! ends = "run"
;;! counted = { deadline = 3 }
;;! says = ["deadline exceeded"]
(table $table 90000 funcref)
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (loop $forever
    (table.fill $table (i32.const 0) (ref.null func) (i32.const 90000))
    (table.copy $table $table (i32.const 0) (i32.const 45000) (i32.const 45000))
    (br $forever))
  unreachable)
