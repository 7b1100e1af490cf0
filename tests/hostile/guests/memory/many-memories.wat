;;! tries = "has thirty modules in it, each with a memory of 1 MiB"
;;! ends = "bind"
;;! counted = { memory = 1 }
;;! beside = true
;;! says = ["memory limit reached", "trapped in `instantiate`"]
(@repeat 30
  (core module $memory%n (memory 16))
  (core instance (instantiate $memory%n)))
