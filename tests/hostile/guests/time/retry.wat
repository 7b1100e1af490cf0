;;! tries = "asks for the same call again, always"
;;! ends = "run"
;;! counted = { retries = 1 }
;;! says = ["asked 5 times to be called again", "is away for longer: with `restart:` the job tries again later"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (global.get $retry))
