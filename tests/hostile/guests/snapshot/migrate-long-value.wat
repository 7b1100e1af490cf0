;;! tries = "brings its state over to a value that is longer than any may be"
;;! kind = "process"
;;! states = [["kept", ["z: Binary"]]]
;;! earlier = [["kept", ["y: Int64"]]]
;;! rows = 1
;;! ends = "restore"
;;! sends = ["z: Binary"]
;;! pages = 64
;;! counted = { snapshot_failed = 1 }
;;! says = ["cannot bring state `kept` of `node` over", "its `migrate` gave a value of", "the limit is 1048576"]
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (global.get $done))
(func $on_migrate (param i32 i32) (result i32)
  ;; The only value ends two million bytes behind its beginning, and the message is so much longer.
  (i32.store offset=4 (i32.add (global.get $at_body) (i32.load (global.get $at_buffer1))) (i32.const 2000000))
  (i64.store offset=8 (global.get $at_buffer2) (i64.const 2000000))
  (i64.store (global.get $at_body_bytes) (i64.const 2001024))
  (call $set_rejects (global.get $message)
    (i32.add (i32.sub (global.get $at_body) (global.get $message)) (i32.const 2001024)))
  (global.get $done))
