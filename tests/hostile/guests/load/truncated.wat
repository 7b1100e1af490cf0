;;! tries = "ends in the middle"
;;! ends = "load"
;;! cut = 700
;;! says = ["it is truncated, damaged or uses a feature that is off"]
