;;! tries = "brings its state over to other columns than it declares"
;;! kind = "process"
;;! states = [["kept", ["z: Utf8"]]]
;;! earlier = [["kept", ["y: Int64"]]]
;;! ends = "restore"
;;! counted = { snapshot_failed = 1 }
;;! says = ["cannot bring state `kept` of `node` over", "its `migrate` gave"]
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (global.get $done))
(func $on_migrate (param $ptr i32) (param $len i32) (result i32)
  ;; The rows as they came.
  (call $set_rejects (local.get $ptr) (local.get $len))
  (global.get $done))
