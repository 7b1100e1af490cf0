;;! tries = "has a function with a hundred thousand variables"
;;! ends = "load"
;;! counted = { unknown_world = 1 }
;;! says = ["it exports nothing"]
(component
  (core module (func (@repeat 100000 (local i64)))))
