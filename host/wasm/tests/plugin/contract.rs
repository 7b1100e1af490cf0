//! Guests that answer what the contract forbids.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use volley_api::{ErrorKind, OperatorFactory};
use volley_ipc::encode_batch;

use crate::guest::{Guest, words_to_bytes};
use crate::harness::{Setup, input_schema, numbers_schema};

fn numbers(rows: usize) -> Vec<u8> {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values((0..).take(rows)));
    encode_batch(&RecordBatch::try_from_iter_with_nullable([("y", column, true)]).expect("one column"))
        .expect("encodes")
}

fn breach(component: &[u8], words: &str) {
    let error = Setup::default().error(component);
    assert_eq!(error.kind(), ErrorKind::Plugin, "{error}");
    let text = error.to_string();
    assert!(text.contains("operator `node`") && text.contains(words), "{text} should say {words}");
}

fn filtered(bitmap: &[u8], rejects: &[(u32, &str, &str)]) -> Vec<u8> {
    let mut guest = Guest::new("filter", &["x"]);
    let result = guest.filtered(bitmap, rejects);
    guest.process(&format!("(i32.const {result})")).build()
}

fn mapped(columns: &[u8]) -> Vec<u8> {
    let mut guest = Guest::new("map", &["x"]).output("out", &numbers_schema("y"), false);
    let result = guest.mapped(columns, &[]);
    guest.process(&format!("(i32.const {result})")).build()
}

#[test]
fn rejects_ascend_and_stay_within_the_batch() {
    breach(&filtered(&[0], &[(2, "a", ""), (1, "b", "")]), "row 1 after row 2");
    breach(&filtered(&[0], &[(1, "a", ""), (1, "b", "")]), "row 1 after row 1");
    breach(&filtered(&[0], &[(3, "a", "")]), "row 3 of a batch of 3 rows");
    breach(&filtered(&[0], &[(u32::MAX, "a", "")]), "row 4294967295");
}

#[test]
fn bitmaps_have_the_length_of_the_batch() {
    breach(&filtered(&[], &[]), "a bitmap of 0 bytes for 3 rows, where 1 are due");
    breach(&filtered(&[1, 1], &[]), "a bitmap of 2 bytes");
}

#[test]
fn maps_answer_row_for_row_in_the_agreed_columns() {
    breach(&mapped(&numbers(2)), "2 rows for 3");
    breach(&mapped(&numbers(4)), "4 rows for 3");
    breach(&mapped(&[]), "not an encapsulated");
    breach(&mapped(&numbers(3)[..100]), "`map`");
    let words: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let words = RecordBatch::try_from_iter([("y", words)]).expect("one column");
    breach(&mapped(&encode_batch(&words).expect("encodes")), "column `y`: its values have 16 bytes where 24 are due");
}

#[test]
fn a_column_that_the_input_lacks_is_an_error_of_the_pipeline() {
    let component = Guest::new("filter", &["nope"]).build();
    let factory = Setup::default().factory(&component).expect("loads");
    let error = factory.bind(&input_schema()).expect_err("no such column");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("`nope`; the input has x, name"), "{error}");
}

#[test]
fn binding_again_gives_the_same() {
    let component = Guest::new("map", &["x"]).output("out", &numbers_schema("y"), false).build();
    let factory = Setup::default().factory(&component).expect("loads");
    let first = factory.bind(&input_schema()).expect("binds");
    assert_eq!(first, factory.bind(&input_schema()).expect("binds"));
    assert_eq!(first.reads, ["x"]);
}

/// A flat-map that emits a canned batch, and answers `fatal` with the error's case in the message if that is refused.
fn emits(parents: &[u32], batch: &[u8], port: u32) -> Vec<u8> {
    let emit = r#"(import "volley:operator/emitter@0.1.0" "emit" (func $emit (param i32 i32 i32 i32 i32 i32)))"#;
    let mut guest = Guest::new("flat-map", &["x"]).output("out", &numbers_schema("y"), false).imports(emit);
    let parents = guest.list(&words_to_bytes(parents), parents.len());
    let batch = guest.list(batch, batch.len());
    let answer = guest.put(&[0; 16]);
    let done = guest.emitted(&[]);
    let refused = ["unknown-port", "invalid-batch", "limit-exceeded"].map(|name| guest.failure(2, name, 0));
    guest
        .process(&format!(
            "(call $emit (i32.const {port}) (i32.const {}) (i32.const {}) (i32.const {}) (i32.const {}) \
               (i32.const {answer}))
             (if (i32.eqz (i32.load8_u (i32.const {answer}))) (then (return (i32.const {done}))))
             (local.set $i (i32.load8_u offset=4 (i32.const {answer})))
             (if (i32.eq (local.get $i) (i32.const 0)) (then (return (i32.const {}))))
             (if (i32.eq (local.get $i) (i32.const 1)) (then (return (i32.const {}))))
             (i32.const {})",
            parents[0], parents[1], batch[0], batch[1], refused[0], refused[1], refused[2]
        ))
        .build()
}

#[test]
fn emitted_rows_are_checked_while_the_guest_can_still_answer() {
    breach(&emits(&[0, 1], &numbers(2), 1), "unknown-port");
    breach(&emits(&[0, 1], &numbers(3), 0), "invalid-batch");
    breach(&emits(&[0, 3], &numbers(2), 0), "invalid-batch");
    breach(&emits(&[0, 1], &numbers(2)[..60], 0), "invalid-batch");
    let many = vec![0u32; 2000];
    let mut setup = Setup::default();
    setup.limits.output_rows_max = 1999;
    let error = setup.error(&emits(&many, &numbers(2000), 0)).to_string();
    assert!(error.contains("put out too much") && error.contains("`limits.output_rows`"), "{error}");
    setup.limits.output_rows_max = 2000;
    setup.limits.output_bytes_max = 16_000;
    let error = setup.error(&emits(&many, &numbers(2000), 0)).to_string();
    assert!(error.contains("put out too much") && error.contains("`limits.output`"), "{error}");
    setup.limits.output_bytes_max = 64_000;
    setup.limits.rows_per_row_max = 600;
    let error = setup.error(&emits(&many, &numbers(2000), 0)).to_string();
    assert!(error.contains("`limits.rows_per_row`"), "{error}");
    setup.limits.rows_per_row_max = 2000;
    setup.limits.bytes_per_row_max = 8_000;
    let error = setup.error(&emits(&many, &numbers(2000), 0)).to_string();
    assert!(error.contains("`limits.bytes_per_row`"), "{error}");
    setup.limits.bytes_per_row_max = 64_000;
    let collected = setup.run(&emits(&many, &numbers(2000), 0), crate::harness::input(1)).expect("within the limits");
    assert_eq!(collected.numbers(0, "y").len(), 2000);
}
