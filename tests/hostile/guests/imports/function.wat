;;! tries = "wants a function by a name of its own"
;;! ends = "load"
;;! beside = true
;;! says = ["it imports system, which is not granted"]
;;! counted = { import_not_granted = 1 }
(import "system" (func (param "command" string)))
