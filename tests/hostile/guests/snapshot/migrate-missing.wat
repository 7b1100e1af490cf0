;;! tries = "declares its state otherwise than the checkpoint has it, and cannot bring it over"
;;! kind = "process"
;;! states = [["kept", ["z: Float64"]]]
;;! earlier = [["kept", ["y: Int64"]]]
;;! ends = "restore"
;;! says = ["the checkpoint has state `kept` (version 1) of `node`", "it exports no `snapshot`, whose `migrate` brings state over", "--fresh"]
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (global.get $done))
