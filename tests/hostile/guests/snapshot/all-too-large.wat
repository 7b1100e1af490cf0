;;! tries = "gives more state than a call may put out, in pieces that are small enough"
;;! kind = "process"
;;! pages = 64
;;! ends = "snapshot"
;;! counted = { snapshot_bytes = 1 }
;;! says = ["5242880 bytes of state; `limits.output` is 4194304"]
(func $on_snapshot (result i32)
(local $part i32)
  ;; Five parts of the same mebibyte.
  (local.set $part (i32.const 32768))
  (loop $next
    (i32.store offset=8 (local.get $part) (i32.const 0x100000))
    (i32.store offset=12 (local.get $part) (i32.const 1048576))
    (local.set $part (i32.add (local.get $part) (i32.const 16)))
    (br_if $next (i32.lt_u (local.get $part) (i32.const 32848))))
  (call $set_rejects (i32.const 32768) (i32.const 5))
  (global.get $done))
