;;! tries = "calls an element of a table that is not there"
;;! ends = "run"
;;! counted = { other_trap = 3 }
;;! says = ["trapped in `filter`", "uninitialized element"]
(type $plain (func))
(table $table 1 funcref)
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call_indirect $table (type $plain) (i32.const 0))
  (global.get $done))
