;;! tries = "refuses a row with a code that would colour a terminal, and nobody reads refused rows"
;;! ends = "run"
;;! says = ["refused a row: \\u{1b}[31m\\n"]
(data (i32.const 33000) "\1b[31m\n")
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (i32.store offset=4 (i32.const 32768) (i32.const 33000))
  (i32.store offset=8 (i32.const 32768) (i32.const 6))
  (drop (call $keep_all (local.get $ptr)))
  (call $set_rejects (i32.const 32768) (i32.const 1))
  (global.get $done))
