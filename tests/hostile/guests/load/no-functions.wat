;;! tries = "has the interfaces of an operator, without functions in them"
;;! ends = "load"
;;! says = ["its volley:operator/lifecycle@0.1.0 has no function `describe`"]
;;! counted = { unknown_world = 1 }
(component (instance $nothing)
  (export "volley:operator/lifecycle@0.1.0" (instance $nothing))
  (export "volley:operator/filter@0.1.0" (instance $nothing)))
