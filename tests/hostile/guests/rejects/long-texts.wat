;;! tries = "refuses a row with a code and a message of 4 MB each"
;;! pages = 200
;;! on_error = "dead_letter"
;;! rows_out = 2
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (memory.fill (i32.const 0x100000) (i32.const 0x78) (i32.const 4000000))
  (i32.store offset=4 (i32.const 32768) (i32.const 0x100000))
  (i32.store offset=8 (i32.const 32768) (i32.const 4000000))
  (i32.store offset=12 (i32.const 32768) (i32.const 0x100000))
  (i32.store offset=16 (i32.const 32768) (i32.const 4000000))
  (drop (call $keep_all (local.get $ptr)))
  (call $set_rejects (i32.const 32768) (i32.const 1))
  (global.get $done))
