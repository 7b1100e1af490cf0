;;! tries = "crashes whatever it reads"
;;! rows_out = 0
;;! refused = ["0 plugin-unreachable", "1 plugin-unreachable", "2 plugin-unreachable"]
;;! counted = { unreachable = 8 }
;;! in_a_file = ["trapped in `decode`"]
;;! kind = "codec"
(func $on_process (param $framing i32) (param $ptr i32) (param $len i32) (param $end i32) (result i32)
  unreachable)
