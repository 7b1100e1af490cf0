;;! tries = "exports what no operator exports"
;;! ends = "load"
;;! says = ["it exports wasi:cli/run@0.2.6 and none of volley:operator's map, filter, flat-map"]
;;! counted = { unknown_world = 1 }
(component (instance $nothing)
  (export "wasi:cli/run@0.2.6" (instance $nothing)))
