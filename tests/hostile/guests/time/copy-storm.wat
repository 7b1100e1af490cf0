;;! tries = "copies 7 MiB of its memory over and over: each copy is a single instruction"
;;! ends = "run"
;;! counted = { deadline = 3 }
;;! pages = 240
;;! says = ["deadline exceeded"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (loop $forever
    (memory.copy (i32.const 0x100000) (i32.const 0x800000) (i32.const 0x700000))
    (br $forever))
  unreachable)
