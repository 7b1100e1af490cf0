;;! tries = "reports numbers in its start function"
;;! ends = "bind"
;;! counted = { other_trap = 1 }
;;! imports = ["count"]
;;! says = ["trapped in `instantiate`"]
(func $on_start
  (call $count (i32.const 32768) (i32.const 0) (i64.const 1)))
