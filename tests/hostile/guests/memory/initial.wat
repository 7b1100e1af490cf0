;;! tries = "wants 4 GiB of memory to begin with"
;;! ends = "bind"
;;! pages = 65536
;;! says = ["memory limit reached", "trapped in `instantiate`"]
