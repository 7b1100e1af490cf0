;;! tries = "panics at every row, and the job is told to skip such rows: to have instances made without end"
;;! ends = "run"
;;! counted = { quarantined = 1, unreachable = 11 }
;;! rows = 40
;;! on_error = "skip"
;;! limits = { restarts = 10 }
;;! says = ["is quarantined after 10 failures", "`limits.restarts`"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  unreachable)
