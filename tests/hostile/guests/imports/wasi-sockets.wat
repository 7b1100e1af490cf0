;;! tries = "wants to open connections"
;;! ends = "load"
;;! beside = true
;;! says = ["it imports wasi:sockets/tcp@0.2.6, which is not granted"]
;;! counted = { import_not_granted = 1 }
(import "wasi:sockets/tcp@0.2.6" (instance))
