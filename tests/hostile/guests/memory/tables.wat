;;! tries = "has ninety tables"
;;! ends = "bind"
;;! counted = { other_trap = 1 }
;;! says = ["table"]
(@repeat 90 (table $table%n 1 funcref))
