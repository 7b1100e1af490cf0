;;! tries = "asks the host for random numbers without end"
;;! ends = "run"
;;! counted = { deadline = 3 }
;;! imports = ["random"]
;;! says = ["deadline exceeded"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (loop $forever
    (drop (call $random))
    (br $forever))
  unreachable)
