;;! tries = "was built for a contract of tomorrow"
;;! ends = "load"
;;! says = ["@0.2.0; this host speaks volley:operator@0.1: build it against that contract, or run it in a host that speaks its own"]
;;! counted = { unknown_world = 1 }
(component (instance $nothing)
  (export "volley:operator/lifecycle@0.2.0" (instance $nothing))
  (export "volley:operator/filter@0.2.0" (instance $nothing)))
