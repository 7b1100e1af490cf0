;;! tries = "wants to send requests"
;;! ends = "load"
;;! beside = true
;;! says = ["it imports wasi:http/outgoing-handler@0.2.6, which is not granted"]
;;! counted = { import_not_granted = 1 }
(import "wasi:http/outgoing-handler@0.2.6" (instance))
