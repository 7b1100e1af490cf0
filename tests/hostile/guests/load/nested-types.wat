;;! tries = "has a type that nests a thousand lists"
;;! ends = "load"
;;! counted = { not_a_component = 1 }
;;! says = ["it is truncated, damaged or uses a feature that is off"]
;;! beside = true
(type $list0 (list u8))
(@repeat 1000 (type $list%s (list $list%n)))
(export "deep" (type $list1000))
