;;! tries = "has a type that nests a thousand lists"
;;! ends = "load"
;;! counted = { unknown_world = 1 }
;;! says = ["it exports nothing"]
(component
  (type $t0 (list u8))
  (@repeat 1000 (type (list %n)))
  (import "deep" (func (param "x" 1000))))
