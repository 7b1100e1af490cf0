;;! tries = "refuses a million rows of three, with the same long text for each: 20 MB stand for 4 GB"
;;! counted = { transfer_bytes = 8 }
;;! pages = 400
;;! limits = { memory = 33554432 }
;;! on_error = "dead_letter"
;;! rows_out = 0
;;! refused = ["0 plugin-transfer-bytes", "1 plugin-transfer-bytes", "2 plugin-transfer-bytes"]
(func $on_process (param $ptr i32) (param $len i32) (result i32) (local $at i32)
  (local.set $at (i32.const 0x100000))
  (loop $next
    (i32.store offset=12 (local.get $at) (i32.const 1024))
    (i32.store offset=16 (local.get $at) (i32.const 4096))
    (local.set $at (i32.add (local.get $at) (i32.const 20)))
    (br_if $next (i32.lt_u (local.get $at) (i32.const 0x1412d00))))
  (drop (call $keep_all (local.get $ptr)))
  (call $set_rejects (i32.const 0x100000) (i32.const 1000000))
  (global.get $done))
