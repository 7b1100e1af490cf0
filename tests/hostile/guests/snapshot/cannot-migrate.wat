;;! tries = "says that it cannot bring its state over"
;;! kind = "process"
;;! states = [["kept", ["z: Float64"]]]
;;! earlier = [["kept", ["y: Int64"]]]
;;! ends = "restore"
;;! says = ["the checkpoint has state `kept` (version 1) of `node`", "cannot take it over: not that one", "--fresh"]
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (global.get $done))
(data (i32.const 33000) "not that one")
(func $on_can_migrate (param i32 i32) (result i32)
  ;; An error, with its words.
  (i32.store8 (i32.const 32768) (i32.const 1))
  (i32.store offset=4 (i32.const 32768) (i32.const 33000))
  (i32.store offset=8 (i32.const 32768) (i32.const 12))
  (i32.const 32768))
