;;! tries = "agreed on numbers of 64 bits and sends such of 32"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! writes = ['y: Int64']
;;! sends = ['y: Int32']
;;! says = ["where 24 are due"]
