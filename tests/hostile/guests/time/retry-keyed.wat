;;! tries = "asks for the same call on rows of keys again, always"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! imports = ["put"]
;;! ends = "run"
;;! counted = { retries = 1 }
;;! says = ["asked 5 times to be called again", "is away for longer: with `restart:` the job tries again later"]
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (call $put (i32.const 0) (local.get $groups) (local.get $count) (global.get $message) (global.get $message_bytes)
    (global.get $answer))
  (global.get $retry))
