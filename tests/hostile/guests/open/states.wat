;;! tries = "declares keyed state, which no filter has"
;;! ends = "bind"
;;! counted = { state_declared = 1 }
;;! says = ["it declares the state `\\u{1b}[2J`"]
(data (i32.const 32768) "\1b[2J")
(func $on_describe (result i32)
  (i32.store (i32.const 33000) (i32.const 32768))
  (i32.store offset=4 (i32.const 33000) (i32.const 4))
  (i32.store offset=20 (global.get $description) (i32.const 33000))
  (i32.store offset=24 (global.get $description) (i32.const 1))
  (global.get $description))
