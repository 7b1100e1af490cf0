;;! tries = "wants to put rows out besides those that it keeps"
;;! ends = "load"
;;! beside = true
;;! says = ["it imports volley:operator/emitter@0.1.0, which only a flat-map and a process may"]
;;! counted = { import_not_granted = 1 }
(import "volley:operator/emitter@0.1.0" (instance))
