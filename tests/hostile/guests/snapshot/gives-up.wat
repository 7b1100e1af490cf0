;;! tries = "says that it cannot give its state"
;;! kind = "process"
;;! ends = "snapshot"
;;! counted = { snapshot_failed = 1 }
;;! says = ["gives up in `snapshot`: no good"]
(func $on_snapshot (result i32)
  (global.get $fatal))
