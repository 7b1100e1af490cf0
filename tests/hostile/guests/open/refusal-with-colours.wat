;;! tries = "refuses in words that would clear a terminal"
;;! ends = "bind"
;;! says = ["could not open: \\u{1b}[2J\\u{1b}[Hall is well"]
(data (i32.const 32768) "\1b[2J\1b[Hall is well")
(func $on_open (param i32 i32 i32 i32) (result i32)
  (i32.store offset=8 (global.get $open_failed) (i32.const 32768))
  (i32.store offset=12 (global.get $open_failed) (i32.const 18))
  (global.get $open_failed))
