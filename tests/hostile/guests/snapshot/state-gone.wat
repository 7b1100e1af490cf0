;;! tries = "does not declare a state any more that the checkpoint has, and says nothing of it"
;;! kind = "process"
;;! earlier = [["kept", ["y: Int64"]]]
;;! ends = "restore"
;;! says = ["the checkpoint has state `kept` (version 1) of `node`", "it exports no `snapshot`", "--fresh"]
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (global.get $done))
