;;! tries = "has an output with a column of lists, thirty deep"
;;! ends = "bind"
;;! kind = "map"
;;! writes = ["y: List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(List(Int64))))))))))))))))))))))))))))))"]
;;! sends = ["y: Int64"]
;;! says = ["nested more than 24 deep"]
