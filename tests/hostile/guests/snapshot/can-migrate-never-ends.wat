;;! tries = "never comes back when it is asked whether it can bring its state over"
;;! kind = "process"
;;! states = [["kept", ["z: Float64"]]]
;;! earlier = [["kept", ["y: Int64"]]]
;;! ends = "restore"
;;! counted = { deadline = 1 }
;;! says = ["trapped in `can-migrate`", "deadline exceeded"]
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (global.get $done))
(func $on_can_migrate (param i32 i32) (result i32)
  (loop $forever (br $forever))
  unreachable)
