;;! tries = "brings its state over to what lies outside its memory"
;;! kind = "process"
;;! states = [["kept", ["z: Float64"]]]
;;! earlier = [["kept", ["y: Int64"]]]
;;! ends = "restore"
;;! counted = { other_trap = 1 }
;;! says = ["trapped in `migrate`", "out of bounds"]
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  (global.get $done))
(func $on_migrate (param i32 i32) (result i32)
  (call $set_rejects (i32.const -64) (i32.const 4096))
  (global.get $done))
