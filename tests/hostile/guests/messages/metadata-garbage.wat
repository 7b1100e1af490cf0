;;! tries = "has bytes of 255 where the metadata should be"
;;! ends = "run"
;;! counted = { bad_batch = 1 }
;;! kind = "map"
;;! says = ["not a valid Arrow IPC flatbuffer"]
(func $lie
  (memory.fill (i32.add (global.get $message) (i32.const 8)) (i32.const 255)
    (i32.load (global.get $at_metadata_bytes))))
