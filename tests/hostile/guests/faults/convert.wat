;;! tries = "makes a whole number of a float that is none"
;;! ends = "run"
;;! counted = { arithmetic = 3 }
;;! says = ["invalid conversion to integer"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (i32.trunc_f64_s (f64.const nan)))
