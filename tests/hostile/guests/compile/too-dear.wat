;;! tries = "has two thousand loops in each other over five thousand variables: each needs all of them at each"
;;! ends = "load"
;;! counted = { compile_limit = 1 }
;;! says = ["cannot be loaded", "of processor time, and was stopped"]
;;! compile_seconds = 1
(func $bomb (@repeat 5000 (local i64))
  (@repeat 2000 loop )
  (@repeat 5000 (local.set %n (i64.add (local.get %n) (i64.const 1))) )
  (@repeat 2000 {(br_if 0 (i32.eqz (i32.wrap_i64 (local.get %n)))) end }))
