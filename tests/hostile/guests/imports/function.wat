;;! tries = "wants a function by a name of its own"
;;! ends = "load"
;;! beside = true
;;! says = ["it imports system, which is not granted"]
(import "system" (func (param "command" string)))
