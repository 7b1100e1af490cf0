;;! tries = "says that its answer lies outside its memory"
;;! ends = "run"
;;! counted = { other_trap = 3 }
;;! says = ["pointer out of bounds of memory"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (i32.const -16))
