;;! tries = "wants to send requests, and the pipeline grants it no server"
;;! ends = "bind"
;;! beside = true
;;! says = ["it imports volley:operator/http@0.1.0, which is not granted", "grants: { http: ["]
;;! counted = { import_not_granted = 1 }
(import "volley:operator/http@0.1.0" (instance))
