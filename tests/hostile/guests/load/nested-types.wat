;;! tries = "has a type that nests a thousand lists"
;;! ends = "load"
;;! counted = { not_a_component = 1 }
;;! says = ["WebAssembly component"]
(component
  (type $t0 (list u8))
  (@repeat 1000 (type (list %n)))
  (import "deep" (func (param "x" 1000))))
