;;! tries = "gives state of keys that another instance has"
;;! kind = "process"
;;! instances = 2
;;! ends = "snapshot"
;;! counted = { snapshot_key_group = 1 }
;;! says = ["part 0 is of key group 200; this instance has 0 to 127"]
(func $on_snapshot (result i32)
  ;; One part: there is a key group, 200; version 0; no bytes.
  (i32.store8 (i32.const 32768) (i32.const 1))
  (i32.store8 offset=1 (i32.const 32768) (i32.const 200))
  (call $set_rejects (i32.const 32768) (i32.const 1))
  (global.get $done))
