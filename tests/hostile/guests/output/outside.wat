;;! tries = "gives an answer that begins behind its memory"
;;! ends = "run"
;;! counted = { other_trap = 3 }
;;! kind = "map"
;;! says = ["trapped in `map`"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $set_output (i32.const -64) (i32.const 64))
  (global.get $done))
