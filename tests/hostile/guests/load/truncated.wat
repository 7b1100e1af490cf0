;;! tries = "ends in the middle"
;;! ends = "load"
;;! counted = { not_a_component = 1 }
;;! cut = 700
;;! says = ["it is truncated, damaged or uses a feature that is off"]
