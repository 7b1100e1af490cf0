;;! tries = "has twenty thousand functions"
;;! rows_out = 3
(@repeat 20000 (func (result i32) (i32.const %n)))
