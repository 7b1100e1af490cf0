;;! tries = "is machine code (.cwasm), which would run without any check"
;;! ends = "load"
;;! counted = { not_a_component = 1 }
;;! bytes = "7f 45 4c 46 02 01 01 c8 00 00 00 00 00 00 00 00"
;;! says = ["this is a precompiled artefact (.cwasm), which is never loaded"]
