;;! tries = "cannot be opened"
;;! ends = "load"
;;! says = ["it exports filter but not volley:operator/lifecycle"]
;;! counted = { unknown_world = 1 }
(component (instance $nothing)
  (export "volley:operator/filter@0.1.0" (instance $nothing)))
