;;! tries = "wants to open connections"
;;! ends = "load"
;;! beside = true
;;! says = ["it imports wasi:sockets/tcp@0.2.6, which is not granted"]
(import "wasi:sockets/tcp@0.2.6" (instance))
