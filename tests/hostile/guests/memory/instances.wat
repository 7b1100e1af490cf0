;;! tries = "has two hundred instances of a module in it"
;;! ends = "bind"
;;! counted = { other_trap = 1 }
;;! beside = true
;;! says = ["instance"]
(core module $nothing)
(@repeat 200
  (core instance (instantiate $nothing)))
