;;! tries = "ends the process while it is opened"
;;! ends = "bind"
;;! counted = { exit = 1 }
;;! wasi = true
;;! imports = ["exit"]
;;! says = ["it called `exit` with status 1"]
(func $on_open (param i32 i32 i32 i32) (result i32)
  (call $exit (i32.const 1))
  (global.get $binding))
