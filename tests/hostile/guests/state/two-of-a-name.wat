;;! tries = "declares two states of one name"
;;! kind = "process"
;;! states = [["kept", ["y: Int64"]], ["kept", ["y: Utf8"]]]
;;! ends = "bind"
;;! counted = { state_declared = 1 }
;;! says = ["two states of the name `kept`"]
