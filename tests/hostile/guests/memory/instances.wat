;;! tries = "has two hundred instances of a module in it"
;;! ends = "bind"
;;! beside = true
;;! says = ["instance"]
(core module $nothing)
(@repeat 200
  (core instance (instantiate $nothing)))
