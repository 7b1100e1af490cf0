;;! tries = "cannot be opened"
;;! ends = "load"
;;! says = ["it exports filter but not volley:operator/lifecycle"]
(component (instance $nothing)
  (export "volley:operator/filter@0.1.0" (instance $nothing)))
