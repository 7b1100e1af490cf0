;;! tries = "grows its memory by all that there is each time that the host asks for a little"
;;! ends = "bind"
;;! counted = { memory = 1 }
;;! says = ["memory limit reached"]
(func $on_realloc (param i32 i32 i32 i32) (result i32)
  (loop $more
    (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
  unreachable)
