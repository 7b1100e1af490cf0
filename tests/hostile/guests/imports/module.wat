;;! tries = "wants code from the host"
;;! ends = "load"
;;! beside = true
;;! says = ["it imports library, which is not granted"]
;;! counted = { import_not_granted = 1 }
(import "library" (core module))
