;;! tries = "emits rows in `open`"
;;! ends = "bind"
;;! kind = "flat-map"
;;! says = ["could not open: no good"]
(func $on_open (param i32 i32 i32 i32) (result i32)
  (if (result i32) (i32.eq (call $emit_message (i32.const 0)) (global.get $done))
    (then (global.get $binding))
    (else (global.get $open_failed))))
