;;! tries = "sends its two columns the other way round"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! writes = ['a: Int64', 'b: Utf8']
;;! sends = ['b: Utf8', 'a: Int64']
;;! says = ["map"]
