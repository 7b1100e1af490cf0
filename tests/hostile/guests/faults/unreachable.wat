;;! tries = "panics at every row"
;;! ends = "run"
;;! counted = { unreachable = 3 }
;;! says = ["it panicked or aborted (`unreachable`)", "code offset"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  unreachable)
