;;! tries = "is an empty file"
;;! ends = "load"
;;! counted = { not_a_component = 1 }
;;! bytes = ""
;;! says = ["the file is empty"]
