;;! tries = "has a type that doubles a hundred times: a few bytes stand for more than the world holds"
;;! ends = "load"
;;! counted = { unknown_world = 1 }
;;! says = ["it exports nothing"]
(component
  (type (tuple u8 u8))
  (@repeat 100 (type (tuple %n %n)))
  (import "large" (func (param "x" 100))))
