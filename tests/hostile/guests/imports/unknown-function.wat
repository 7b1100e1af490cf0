;;! tries = "wants a function that a granted interface does not have"
;;! ends = "load"
;;! beside = true
;;! says = ["cannot be loaded", "erase"]
(import "volley:operator/log@0.1.0" (instance (export "erase" (func))))
