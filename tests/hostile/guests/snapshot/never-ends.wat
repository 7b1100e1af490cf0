;;! tries = "never comes back when it is asked for its state"
;;! kind = "process"
;;! ends = "snapshot"
;;! counted = { deadline = 1 }
;;! says = ["trapped in `snapshot`", "deadline exceeded", "the limit for opening is 100 ms"]
(func $on_snapshot (result i32)
  (loop $forever (br $forever))
  unreachable)
