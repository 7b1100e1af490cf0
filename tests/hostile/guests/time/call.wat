;;! tries = "never comes back from a call"
;;! ends = "run"
;;! counted = { deadline = 3 }
;;! says = ["deadline exceeded", "`limits.deadline` (--deadline) is 40 ms"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (loop $forever (br $forever))
  unreachable)
