;;! tries = "sends bytes that read like a barrier, a watermark and the end of the stream"
;;! kind = "map"
;;! writes = ["y: Int64"]
;;! rows_out = 3
(data (i32.const 32768) "Barrier(Watermark(End)))")
(func $lie
  (memory.copy (i32.add (global.get $at_body) (i32.load (global.get $at_buffer1))) (i32.const 32768) (i32.const 24)))
