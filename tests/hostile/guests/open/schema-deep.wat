;;! tries = "has an output with a column of lists, thirty deep"
;;! ends = "bind"
;;! counted = { bad_binding = 1 }
;;! kind = "map"
;;! writes = ["y: List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(Int64))))))))))))))))))))))))))))))"]
;;! sends = ["y: Int64"]
;;! says = ["depth limit reached"]
