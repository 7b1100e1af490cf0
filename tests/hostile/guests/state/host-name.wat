;;! tries = "gives its state the name of one of the host's own"
;;! kind = "process"
;;! states = [["host-event-timers", ["y: Int64"]]]
;;! ends = "bind"
;;! counted = { state_declared = 1 }
;;! says = ["does not begin with `host-`"]
