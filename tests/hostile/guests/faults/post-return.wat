;;! tries = "panics in the clean-up behind a call, when its answer has been read"
;;! ends = "run"
;;! counted = { unreachable = 3 }
;;! says = ["trapped in `filter`"]
(func $on_post_return (param i32) unreachable)
