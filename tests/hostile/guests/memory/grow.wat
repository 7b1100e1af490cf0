;;! tries = "grows its memory until it gets no more, and crashes then"
;;! ends = "run"
;;! counted = { memory = 3 }
;;! says = ["memory limit reached", "`limits.memory` is 16777216 (--memory)"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (loop $more
    (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
  unreachable)
