;;! tries = "never comes back from the clean-up behind a call"
;;! ends = "run"
;;! counted = { deadline = 3 }
;;! says = ["deadline exceeded", "trapped in `filter`"]
(func $on_post_return (param i32)
  (loop $forever (br $forever)))
