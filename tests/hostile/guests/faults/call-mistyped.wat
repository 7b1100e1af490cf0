;;! tries = "calls a function as one of another type, to have numbers read as pointers"
;;! ends = "run"
;;! counted = { other_trap = 3 }
;;! says = ["trapped in `filter`", "indirect call type mismatch"]
(type $other (func (param i64)))
(table $table funcref (elem $plain))
(func $plain)
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call_indirect $table (type $other) (i64.const -1) (i32.const 0))
  (global.get $done))
