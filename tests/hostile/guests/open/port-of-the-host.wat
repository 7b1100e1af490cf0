;;! tries = "names its output as the host's own port of refused rows"
;;! ends = "bind"
;;! counted = { bad_binding = 1 }
;;! kind = "map"
;;! says = ["its first output is `errors` and should be `out`"]
(data (i32.const 32768) "errors")
(func $on_open (param i32 i32 i32 i32) (result i32)
  (i32.store (i32.load offset=12 (global.get $binding)) (i32.const 32768))
  (i32.store offset=4 (i32.load offset=12 (global.get $binding)) (i32.const 6))
  (global.get $binding))
