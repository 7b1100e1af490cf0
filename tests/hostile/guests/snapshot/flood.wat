;;! tries = "gives the same mebibyte a thousand times"
;;! kind = "process"
;;! pages = 64
;;! ends = "snapshot"
;;! counted = { transfer_bytes = 1 }
;;! says = ["trapped in `snapshot`", "it gave back more than 8388608 bytes"]
(func $on_snapshot (result i32)
(local $part i32)
  (local.set $part (i32.const 32768))
  (loop $next
    (i32.store offset=8 (local.get $part) (i32.const 0x100000))
    (i32.store offset=12 (local.get $part) (i32.const 1048576))
    (local.set $part (i32.add (local.get $part) (i32.const 16)))
    (br_if $next (i32.lt_u (local.get $part) (i32.const 48768))))
  (call $set_rejects (i32.const 32768) (i32.const 1000))
  (global.get $done))
