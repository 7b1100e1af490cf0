;;! tries = "has ninety tables"
;;! ends = "bind"
;;! says = ["table"]
(@repeat 90 (table $table%n 1 funcref))
