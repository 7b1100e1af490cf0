;;! tries = "does something else when a call is made again than at first, though it says that it is deterministic"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]]]
;;! imports = ["get"]
;;! ends = "run"
;;! always = true
;;! counted = { unreachable = 1, diverged = 1 }
;;! says = ["a fresh instance does not get to where it was", "it does not call `state.get`"]
(global $snapshots (mut i32) (i32.const 0))
(func $on_process (param $groups i32) (param $count i32) (param $ptr i32) (param $len i32) (result i32)
  ;; Only an instance that has been asked for its state reads any.
  (if (global.get $snapshots)
    (then (call $get (i32.const 0) (local.get $groups) (local.get $count) (global.get $answer))))
  (global.get $done))
(func $on_snapshot (result i32)
  (global.set $snapshots (i32.const 1))
  (global.get $unit))
(func $on_watermark (param i32 i64) (result i32)
  unreachable)
