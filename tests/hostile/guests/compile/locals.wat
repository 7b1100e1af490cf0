;;! tries = "has a function with a hundred thousand variables"
;;! ends = "load"
;;! counted = { not_a_component = 1 }
;;! says = ["it is truncated, damaged or uses a feature that is off", "too many locals"]
(component
  (core module (func (@repeat 100000 (local i64)))))
