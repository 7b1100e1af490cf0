;;! tries = "is WebAssembly of a version that does not exist"
;;! ends = "load"
;;! counted = { not_a_component = 1 }
;;! bytes = "00 61 73 6d 99 00 01 00"
;;! says = ["this is WebAssembly of a version that is not known"]
