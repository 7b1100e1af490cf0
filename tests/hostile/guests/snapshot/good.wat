;;! tries = "gives its state and takes it back, as it should"
;;! kind = "process"
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
(func $on_restore (param $parts i32) (param $count i32) (result i32)
  ;; It is what it gave: one part of any key group, version 7, four bytes.
  (if (i32.ne (local.get $count) (i32.const 1)) (then unreachable))
  (if (i32.load8_u (local.get $parts)) (then unreachable))
  (if (i32.ne (i32.load offset=4 (local.get $parts)) (i32.const 7)) (then unreachable))
  (if (i32.ne (i32.load offset=12 (local.get $parts)) (i32.const 4)) (then unreachable))
  (global.get $unit))
