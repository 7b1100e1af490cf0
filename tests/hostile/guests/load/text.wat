;;! tries = "is text where a component is due"
;;! ends = "load"
;;! counted = { not_a_component = 1 }
;;! bytes = "28 63 6f 6d 70 6f 6e 65 6e 74 29"
;;! says = ["this is WebAssembly text"]
