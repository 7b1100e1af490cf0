;;! tries = "asks to be asked for its state later"
;;! kind = "process"
;;! ends = "snapshot"
;;! counted = { snapshot_failed = 1 }
;;! says = ["gives up in `snapshot`: it asks to be called again"]
(func $on_snapshot (result i32)
  (global.get $retry))
