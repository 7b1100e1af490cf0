;;! tries = "has all functions of an operator, of other types: the host would read its memory wrongly"
;;! ends = "bind"
;;! says = ["is not that of the contract"]
;;! counted = { wrong_type = 1 }
(component
  (core module $m (func (export "f") (param i64) (result i64) (local.get 0)))
  (core instance $i (instantiate $m))
  (func $f (param "x" u64) (result u64) (canon lift (core func $i "f")))
  (instance $lifecycle (export "describe" (func $f)) (export "open" (func $f)) (export "close" (func $f)))
  (instance $filter (export "filter" (func $f)))
  (export "volley:operator/lifecycle@0.1.0" (instance $lifecycle))
  (export "volley:operator/filter@0.1.0" (instance $filter)))
