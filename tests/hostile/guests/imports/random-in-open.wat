;;! tries = "asks for chance in `open`, to bind differently each time"
;;! ends = "bind"
;;! counted = { import_not_allowed = 1 }
;;! imports = ["random"]
;;! says = ["random.next-u64", "trapped in `open`"]
(func $on_open (param i32 i32 i32 i32) (result i32)
  (drop (call $random))
  (global.get $binding))
