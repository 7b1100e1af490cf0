;;! tries = "has an output of big-endian numbers"
;;! ends = "bind"
;;! counted = { bad_binding = 1 }
;;! kind = "map"
;;! says = ["only little-endian data is accepted"]
(func $on_open (param i32 i32 i32 i32) (result i32)
  (local $table i32) (local $field i32) (local $vtable i32)
  ;; The root is a Message; its third field is the Schema, whose first field says in which order bytes come. It is not
  ;; written when they come as usual: let it be where the second field is, a number that is not zero.
  (local.set $table (i32.add (i32.load offset=8 (i32.load offset=12 (global.get $binding))) (i32.const 8)))
  (local.set $table (i32.add (local.get $table) (i32.load (local.get $table))))
  (local.set $field (i32.load16_u offset=8 (i32.sub (local.get $table) (i32.load (local.get $table)))))
  (local.set $table (i32.add (local.get $table) (local.get $field)))
  (local.set $table (i32.add (local.get $table) (i32.load (local.get $table))))
  (local.set $vtable (i32.sub (local.get $table) (i32.load (local.get $table))))
  (i32.store16 offset=4 (local.get $vtable) (i32.load16_u offset=6 (local.get $vtable)))
  (global.get $binding))
