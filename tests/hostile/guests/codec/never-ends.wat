;;! tries = "never comes back"
;;! rows = 1
;;! rows_out = 0
;;! counted = { deadline = 2 }
;;! refused = ["0 plugin-deadline"]
;;! in_a_file = ["deadline"]
;;! kind = "codec"
(func $on_process (param $framing i32) (param $ptr i32) (param $len i32) (param $end i32) (result i32)
  (loop $for_ever (br $for_ever)) unreachable)
