//! What a good batch costs: its arrays, and nothing else.

mod support;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Schema;
use support::shifted;
use volley_ipc::{GateLimits, decode_batch, encode_batch};

const LIMITS: GateLimits = GateLimits { bytes_max: 1 << 24, rows_max: 1 << 16, logical_bytes_max: 1 << 24 };

const ROWS: i64 = 8_192;

/// Allocations of one decoding, and their bytes, for a message that lies as the host lays it.
fn cost(columns: Vec<(&str, ArrayRef)>) -> (u64, u64) {
    let batch = RecordBatch::try_from_iter(columns).expect("one length");
    let message = shifted(&encode_batch(&batch).expect("encodes"), 0);
    let mut got = None;
    let info = allocation_counter::measure(|| got = Some(decode_batch(&message, &batch.schema(), &LIMITS)));
    assert_eq!(got.expect("ran").expect("own message"), batch);
    (info.count_total, info.bytes_total)
}

#[test]
fn a_batch_costs_an_array_per_column_and_the_list_of_them() {
    let numbers = || Arc::new(Int64Array::from_iter_values(0..ROWS)) as ArrayRef;
    let (count, bytes) = cost(vec![("a", numbers()), ("b", numbers()), ("c", numbers())]);
    assert!(count <= 4 && bytes < 1 << 10, "{count} allocations of {bytes} bytes");
    let words = StringArray::from_iter_values((0..ROWS).map(|row| format!("{row:013}")));
    let (count, bytes) = cost(vec![("a", numbers()), ("w", Arc::new(words))]);
    assert!(count <= 3 && bytes < 1 << 10, "{count} allocations of {bytes} bytes");
    let some = Int64Array::from_iter((0..ROWS).map(|row| (row % 3 > 0).then_some(row)));
    let (count, bytes) = cost(vec![("a", Arc::new(some))]);
    assert!(count <= 2 && bytes < 1 << 10, "{count} allocations of {bytes} bytes");
}

#[test]
fn refusing_a_message_costs_its_reason() {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ROWS));
    let batch = RecordBatch::try_from_iter([("a", numbers)]).expect("one column");
    let message = shifted(&encode_batch(&batch).expect("encodes"), 8);
    let none = Arc::new(Schema::empty());
    let info = allocation_counter::measure(|| drop(decode_batch(&message, &none, &LIMITS)));
    assert!(info.count_total > 0 && info.bytes_max < 1 << 10, "{} bytes", info.bytes_max);
}
