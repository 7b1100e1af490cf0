;;! tries = "wants a function that a granted interface does not have"
;;! ends = "load"
;;! beside = true
;;! says = ["cannot be loaded", "erase"]
;;! counted = { import_not_granted = 1 }
(import "volley:operator/log@0.1.0" (instance (export "erase" (func))))
