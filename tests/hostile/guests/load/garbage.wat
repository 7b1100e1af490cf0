;;! tries = "has a section of 4 GiB behind a good header"
;;! ends = "load"
;;! counted = { not_a_component = 1 }
;;! bytes = "00 61 73 6d 0d 00 01 00 01 ff ff ff ff 0f 00 00"
;;! says = ["it is truncated, damaged or uses a feature that is off"]
