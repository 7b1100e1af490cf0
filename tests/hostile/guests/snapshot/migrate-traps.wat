;;! tries = "panics while it brings its state over"
;;! kind = "process"
;;! states = [["kept", ["z: Float64"]]]
;;! earlier = [["kept", ["y: Int64"]]]
;;! ends = "restore"
;;! counted = { unreachable = 1 }
;;! says = ["trapped in `migrate`"]
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (global.get $done))
(func $on_migrate (param i32 i32) (result i32)
  unreachable)
