;;! tries = "crashes whatever it is called with"
;;! ends = "run"
;;! counted = { unreachable = 3 }
;;! says = ["unreachable"]
;;! kind = "scalar"
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  unreachable)
