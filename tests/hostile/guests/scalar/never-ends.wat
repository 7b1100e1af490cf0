;;! tries = "never comes back"
;;! ends = "run"
;;! rows = 1
;;! counted = { deadline = 2 }
;;! says = ["limits.deadline"]
;;! kind = "scalar"
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (loop $for_ever (br $for_ever))
  unreachable)
