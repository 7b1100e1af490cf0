;;! tries = "has a function with a hundred thousand variables"
;;! ends = "load"
;;! counted = { not_a_component = 1 }
;;! beside = true
;;! says = ["it is truncated, damaged or uses a feature that is off", "too many locals"]
;;! compile_seconds = 120
(core module (func (@repeat 100000 (local i64))))
