;;! tries = "grows its memory in `open`"
;;! ends = "bind"
;;! counted = { memory = 1 }
;;! says = ["memory limit reached", "trapped in `open`"]
(func $on_open (param i32 i32 i32 i32) (result i32)
  (loop $more
    (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
  unreachable)
