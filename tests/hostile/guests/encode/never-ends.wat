;;! tries = "never comes back"
;;! kind = "codec"
;;! drive = "encode"
;;! rows = 1
;;! ends = "run"
;;! counted = { deadline = 2 }
;;! says = ["row 0 is refused: plugin-deadline"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (loop $for_ever (br $for_ever)) unreachable)
