;;! tries = "wants keyed state, which no filter has"
;;! ends = "load"
;;! beside = true
;;! says = ["it imports volley:operator/state@0.1.0, which only a process may"]
;;! counted = { import_not_granted = 1 }
(import "volley:operator/state@0.1.0" (instance))
