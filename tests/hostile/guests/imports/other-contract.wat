;;! tries = "wants the log of a contract of tomorrow"
;;! ends = "load"
;;! beside = true
;;! says = ["it was built for volley:operator/log@0.2.0"]
;;! counted = { import_not_granted = 1 }
(import "volley:operator/log@0.2.0" (instance))
