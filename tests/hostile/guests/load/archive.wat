;;! tries = "is an archive, with an escape sequence in its first bytes"
;;! ends = "load"
;;! counted = { not_a_component = 1 }
;;! bytes = "50 4b 1b 5b 32 4a 0a 00"
;;! says = ["it begins with `PK\\x1b[2J\\n\\x00`"]
