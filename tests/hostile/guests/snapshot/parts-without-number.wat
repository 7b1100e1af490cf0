;;! tries = "gives seventy thousand pieces of state"
;;! kind = "process"
;;! pages = 64
;;! ends = "snapshot"
;;! counted = { snapshot_parts = 1 }
;;! says = ["70000 parts of state; the limit is 65536"]
(func $on_snapshot (result i32)
  ;; Memory that nobody has written to is parts of any key group, without bytes.
  (call $set_rejects (i32.const 0x100000) (i32.const 70000))
  (global.get $done))
