;;! tries = "wants code from the host"
;;! ends = "load"
;;! beside = true
;;! says = ["it imports library, which is not granted"]
(import "library" (core module))
