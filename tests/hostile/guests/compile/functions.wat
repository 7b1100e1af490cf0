;;! tries = "has twenty thousand functions"
;;! rows_out = 3
;;! compile_seconds = 120
(@repeat 20000 (func (result i32) (i32.const %n)))
