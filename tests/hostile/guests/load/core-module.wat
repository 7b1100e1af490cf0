;;! tries = "is a core module, which no host function guards"
;;! ends = "load"
;;! counted = { not_a_component = 1 }
;;! bytes = "00 61 73 6d 01 00 00 00"
;;! says = ["this is a core module; run `volley plugin build`"]
