;;! tries = "has a type that doubles a hundred times: a few bytes stand for more than the world holds"
;;! ends = "load"
;;! counted = { not_a_component = 1 }
;;! says = ["it is truncated, damaged or uses a feature that is off"]
;;! beside = true
(type $pair0 (tuple u8 u8))
(@repeat 100 (type $pair%s (tuple $pair%n $pair%n)))
(export "large" (type $pair100))
