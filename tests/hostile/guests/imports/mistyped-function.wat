;;! tries = "wants a granted function under another type"
;;! ends = "load"
;;! beside = true
;;! says = ["cannot be loaded", "now-ms"]
(import "volley:operator/clock@0.1.0" (instance (export "now-ms" (func (result string)))))
