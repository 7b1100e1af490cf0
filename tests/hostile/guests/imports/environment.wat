;;! tries = "looks for environment, arguments and folders, and crashes if it finds any"
;;! wasi = true
;;! imports = ["environment", "arguments", "folders"]
;;! rows_out = 3
(func $none (param $list i32)
  (if (i32.load offset=4 (local.get $list)) (then unreachable)))
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $environment (i32.const 32768))
  (call $none (i32.const 32768))
  (call $arguments (i32.const 32768))
  (call $none (i32.const 32768))
  (call $folders (i32.const 32768))
  (call $none (i32.const 32768))
  (call $keep_all (local.get $ptr)))
