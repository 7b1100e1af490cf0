;;! tries = "asks for 4 GiB, is refused, and lives with it"
;;! rows_out = 3
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (drop (memory.grow (i32.const 65000)))
  (call $keep_all (local.get $ptr)))
