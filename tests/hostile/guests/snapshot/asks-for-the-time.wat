;;! tries = "asks for the time while it gives its state"
;;! kind = "process"
;;! imports = ["now"]
;;! ends = "snapshot"
;;! counted = { import_not_allowed = 1 }
;;! says = ["trapped in `snapshot`", "`clock.now-ms` was called where only `log` may be"]
(func $on_snapshot (result i32)
  (drop (call $now))
  (global.get $done))
