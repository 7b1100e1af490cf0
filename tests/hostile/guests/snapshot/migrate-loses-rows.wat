;;! tries = "loses rows while it brings its state over"
;;! kind = "process"
;;! states = [["kept", ["z: Float64"]]]
;;! earlier = [["kept", ["y: Int64"]]]
;;! ends = "restore"
;;! sends = ["z: Float64"]
;;! sends_rows = 2
;;! counted = { snapshot_failed = 1 }
;;! says = ["cannot bring state `kept` of `node` over", "its `migrate` gave", "2 rows for 3"]
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (global.get $done))
(func $on_migrate (param i32 i32) (result i32)
  (call $set_rejects (global.get $message) (global.get $message_bytes))
  (global.get $done))
