;;! tries = "has a type that doubles a hundred times: a few bytes stand for more than the world holds"
;;! ends = "load"
;;! counted = { not_a_component = 1 }
;;! says = ["type"]
(component
  (type (tuple u8 u8))
  (@repeat 100 (type (tuple %n %n)))
  (import "large" (func (param "x" 100))))
