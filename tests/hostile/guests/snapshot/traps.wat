;;! tries = "panics when it is asked for its state"
;;! kind = "process"
;;! ends = "snapshot"
;;! counted = { unreachable = 1 }
;;! says = ["trapped in `snapshot`", "it panicked or aborted"]
(func $on_snapshot (result i32)
  unreachable)
