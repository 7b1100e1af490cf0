;;! tries = "has a function with a hundred thousand variables"
;;! ends = "load"
;;! says = ["it is truncated, damaged or uses a feature that is off", "too many locals"]
(component
  (core module (func (@repeat 100000 (local i64)))))
