;;! tries = "asks for the same call again, always"
;;! kind = "codec"
;;! drive = "encode"
;;! ends = "run"
;;! counted = { retries = 1 }
;;! says = ["asked 5 times to be called again", "see in its log what it waits for"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (global.get $retry))
