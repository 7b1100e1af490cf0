;;! tries = "wants an interface that nobody knows"
;;! ends = "load"
;;! beside = true
;;! says = ["it imports evil:host/shell@1.0.0, which is not granted"]
;;! counted = { import_not_granted = 1 }
(import "evil:host/shell@1.0.0" (instance (export "run" (func (param "command" string)))))
