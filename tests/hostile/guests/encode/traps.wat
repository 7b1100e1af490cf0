;;! tries = "crashes whatever it writes"
;;! kind = "codec"
;;! drive = "encode"
;;! rows = 1
;;! ends = "run"
;;! counted = { unreachable = 2 }
;;! says = ["row 0 is refused: plugin-unreachable", "trapped in `encode`"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  unreachable)
