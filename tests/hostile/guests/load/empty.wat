;;! tries = "is an empty file"
;;! ends = "load"
;;! bytes = ""
;;! says = ["the file is empty"]
