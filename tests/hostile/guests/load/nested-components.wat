;;! tries = "has components in each other, eighty deep"
;;! beside = true
;;! rows_out = 3
(@repeat 80 {(component })(@repeat 80 {)})
