;;! tries = "wants 4 GiB of memory to begin with"
;;! ends = "bind"
;;! counted = { memory = 1 }
;;! pages = 65536
;;! says = ["memory limit reached", "trapped in `instantiate`"]
