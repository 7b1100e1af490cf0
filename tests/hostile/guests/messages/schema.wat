;;! tries = "sends a real schema message where a batch is due"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["a Schema message where a RecordBatch is due"]
(func $on_process (param $ptr i32) (param $len i32) (result i32)
  (call $set_output
    (i32.load offset=8 (i32.load offset=12 (global.get $binding)))
    (i32.load offset=12 (i32.load offset=12 (global.get $binding))))
  (global.get $done))
