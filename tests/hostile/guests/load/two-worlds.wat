;;! tries = "is two operators at once"
;;! ends = "load"
;;! says = ["it exports filter and map: one component is one operator"]
;;! counted = { unknown_world = 1 }
(component (instance $nothing)
  (export "volley:operator/lifecycle@0.1.0" (instance $nothing))
  (export "volley:operator/filter@0.1.0" (instance $nothing))
  (export "volley:operator/map@0.1.0" (instance $nothing)))
