;;! tries = "adds to a sum what does not fit, in one batch, and gives up when it is told"
;;! kind = "process"
;;! rows = 1
;;! sends_rows = 2
;;! sums = [["total", ["y: Int64"]]]
;;! imports = ["merge"]
;;! ends = "run"
;;! counted = { state_refused = 1, fatal = 1 }
;;! says = ["stops the job: no good"]
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (local $numbers i32)
  (local.set $numbers (i32.add (global.get $at_body) (i32.load (global.get $at_buffer1))))
  (i64.store (local.get $numbers) (i64.const 0x8000000000000000))
  (i64.store offset=8 (local.get $numbers) (i64.const -1))
  ;; Both rows are of one key: memory that nobody has written to is a list of the first.
  (call $merge (i32.const 0) (i32.const 40000) (i32.const 2) (global.get $message) (global.get $message_bytes)
    (global.get $answer))
  (if (i32.load8_u (global.get $answer)) (then (return (global.get $fatal))))
  (global.get $done))
