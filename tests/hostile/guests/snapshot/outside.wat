;;! tries = "gives state that lies outside its memory"
;;! kind = "process"
;;! ends = "snapshot"
;;! counted = { other_trap = 1 }
;;! says = ["trapped in `snapshot`", "out of bounds"]
(func $on_snapshot (result i32)
  (i32.store offset=8 (i32.const 32768) (i32.const -64))
  (i32.store offset=12 (i32.const 32768) (i32.const 4096))
  (call $set_rejects (i32.const 32768) (i32.const 1))
  (global.get $done))
