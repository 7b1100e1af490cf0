;;! tries = "asks to be given its state again, always"
;;! kind = "process"
;;! ends = "restore"
;;! counted = { snapshot_failed = 1 }
;;! says = ["gives up in `restore`: it asks to be called again", "of version 7", "--fresh"]
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (call $set_rejects (i32.const 0) (i32.const 0))
  (global.get $done))
(func $on_snapshot (result i32)
  ;; One part of any key group, of four bytes.
  (i32.store offset=8 (i32.const 32768) (i32.const 32768))
  (i32.store offset=12 (i32.const 32768) (i32.const 4))
  (i32.store offset=4 (i32.const 32768) (i32.const 7))
  (call $set_rejects (i32.const 32768) (i32.const 1))
  (i32.store offset=16 (i32.const 32768) (i32.const 0))
  (global.get $done))
(func $on_restore (param i32 i32) (result i32)
  (global.get $retry))
