;;! tries = "asks to bring its state over later"
;;! kind = "process"
;;! states = [["kept", ["z: Float64"]]]
;;! earlier = [["kept", ["y: Int64"]]]
;;! ends = "restore"
;;! counted = { snapshot_failed = 1 }
;;! says = ["cannot bring state `kept` of `node` over from version 1 to version 1: it asks to be called again", "--fresh"]
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (global.get $done))
(func $on_migrate (param i32 i32) (result i32)
  (global.get $retry))
