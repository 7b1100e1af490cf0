;;! tries = "asks for the time in `open`, to bind differently each time"
;;! ends = "bind"
;;! counted = { import_not_allowed = 1 }
;;! imports = ["now"]
;;! says = ["clock.now-ms", "trapped in `open`"]
(func $on_open (param i32 i32 i32 i32) (result i32)
  (drop (call $now))
  (global.get $binding))
