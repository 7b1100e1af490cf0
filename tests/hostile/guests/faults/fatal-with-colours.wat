;;! tries = "gives up, in words that would colour a terminal and begin new lines"
;;! ends = "run"
;;! counted = { fatal = 1 }
;;! says = ["stops the job: no good\\u{1b}[31m\\nERROR volley: all is lost\\u{202e}"]
(data (i32.const 32768) "no good\1b[31m\nERROR volley: all is lost\e2\80\ae")
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (i32.store offset=16 (global.get $fatal) (i32.const 32768))
  (i32.store offset=20 (global.get $fatal) (i32.const 41))
  (global.get $fatal))
