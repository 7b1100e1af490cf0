;;! tries = "fills 14 MiB of its memory over and over: each fill is a single instruction"
;;! ends = "run"
;;! counted = { deadline = 3 }
;;! pages = 240
;;! says = ["deadline exceeded"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (loop $forever
    (memory.fill (i32.const 0x100000) (i32.const 1) (i32.const 0xe00000))
    (br $forever))
  unreachable)
