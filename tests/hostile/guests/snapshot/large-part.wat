;;! tries = "gives a piece of state that is larger than any may be"
;;! kind = "process"
;;! pages = 64
;;! ends = "snapshot"
;;! counted = { snapshot_bytes = 1 }
;;! says = ["part 0 has 1048577 bytes; the limit is 1048576"]
(func $on_snapshot (result i32)
  (i32.store offset=8 (i32.const 32768) (i32.const 0x100000))
  (i32.store offset=12 (i32.const 32768) (i32.const 1048577))
  (call $set_rejects (i32.const 32768) (i32.const 1))
  (global.get $done))
