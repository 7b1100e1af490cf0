;;! tries = "emits rows whose parents lie outside its memory"
;;! ends = "run"
;;! counted = { other_trap = 3 }
;;! kind = "flat-map"
;;! says = ["trapped in `flat-map`"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $emit (i32.const 0) (i32.const -64) (i32.const 1000) (global.get $message) (global.get $message_bytes)
    (global.get $answer))
  (global.get $done))
