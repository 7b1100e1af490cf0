;;! tries = "asks for the same call again, always"
;;! ends = "run"
;;! counted = { retries = 1 }
;;! says = ["asked 5 times to be called again", "is away for longer: with `restart:` the job tries again later"]
;;! in_a_file = ["asked 5 times to be called again"]
;;! kind = "codec"
(func $on_process (param $framing i32) (param $ptr i32) (param $len i32) (param $end i32) (result i32)
  (global.get $retry))
