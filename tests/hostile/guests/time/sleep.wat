;;! tries = "sleeps for a hundred years: time passes for it alone"
;;! wasi = true
;;! imports = ["after", "block"]
;;! rows_out = 3
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $block (call $after (i64.const 3000000000000000000)))
  (call $keep_all (local.get $ptr)))
