;;! tries = "panics at every row"
;;! ends = "run"
;;! says = ["it panicked or aborted (`unreachable`)", "code offset"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  unreachable)
