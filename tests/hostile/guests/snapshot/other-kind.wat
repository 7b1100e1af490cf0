;;! tries = "wants a snapshot of a world that has none"
;;! ends = "load"
;;! beside = true
;;! counted = { unknown_world = 1 }
;;! says = ["volley:operator/snapshot@0.1.0", "which is for operators with state; it is a filter"]
(instance $empty)
(export "volley:operator/snapshot@0.1.0" (instance $empty))
