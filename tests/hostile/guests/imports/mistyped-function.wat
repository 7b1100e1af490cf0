;;! tries = "wants a granted function under another type"
;;! ends = "load"
;;! beside = true
;;! says = ["cannot be loaded", "now-ms"]
;;! counted = { import_not_granted = 1 }
(import "volley:operator/clock@0.1.0" (instance (export "now-ms" (func (result string)))))
