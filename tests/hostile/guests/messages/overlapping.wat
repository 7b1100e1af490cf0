;;! tries = "has forty columns whose values all lie in the same bytes, many times over"
;;! ends = "run"
;;! counted = { output_bytes = 3 }
;;! kind = "map"
;;! limits = { output_bytes = 32768 }
;;! writes = ["c0: Binary", "c1: Binary", "c2: Binary", "c3: Binary", "c4: Binary", "c5: Binary", "c6: Binary", "c7: Binary", "c8: Binary", "c9: Binary", "c10: Binary", "c11: Binary", "c12: Binary", "c13: Binary", "c14: Binary", "c15: Binary", "c16: Binary", "c17: Binary", "c18: Binary", "c19: Binary", "c20: Binary", "c21: Binary", "c22: Binary", "c23: Binary", "c24: Binary", "c25: Binary", "c26: Binary", "c27: Binary", "c28: Binary", "c29: Binary", "c30: Binary", "c31: Binary", "c32: Binary", "c33: Binary", "c34: Binary", "c35: Binary", "c36: Binary", "c37: Binary", "c38: Binary", "c39: Binary"]
;;! says = ["once decoded"]
(func $lie
  (local $buffer i32) (local $columns i32)
  ;; Each column has three buffers of 16 bytes, the last of which holds its values: all of the body.
  (local.set $buffer (global.get $at_buffer2))
  (local.set $columns (i32.const 40))
  (loop $next
    (i64.store (local.get $buffer) (i64.const 0))
    (i64.store offset=8 (local.get $buffer) (i64.load (global.get $at_body_bytes)))
    (local.set $buffer (i32.add (local.get $buffer) (i32.const 48)))
    (br_if $next (local.tee $columns (i32.sub (local.get $columns) (i32.const 1))))))

