//! What the encoder writes, the gate reads: for every type, with nulls, sliced and empty.

mod support;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, IntervalMonthDayNanoArray, RecordBatch, RecordBatchOptions};
use arrow::buffer::Buffer;
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano, Schema, TimeUnit};
use proptest::prelude::*;
use volley_ipc::{GateLimits, decode_batch, decode_schema, encode_batch, encode_schema, to_wire, wire_schema};

const LIMITS: GateLimits = GateLimits { bytes_max: 1 << 24, rows_max: 1 << 16, logical_bytes_max: 1 << 24 };

fn check(batch: &RecordBatch) {
    let wire = Arc::new(wire_schema(&batch.schema()).expect("all types cross"));
    assert_eq!(decode_schema(&encode_schema(&wire).expect("encodes")).expect("own schema"), *wire);
    let sent = to_wire(batch, &wire).expect("converts");
    let bytes = encode_batch(&sent).expect("encodes");
    let got = decode_batch(&Buffer::from(bytes), &wire, &LIMITS).expect("own message");
    assert_eq!(got, sent);
    for (column, original) in got.columns().iter().zip(batch.columns()) {
        assert_eq!(column, &cast(original, column.data_type()).expect("to its wire form"));
        column.to_data().validate_full().expect("valid");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_type_makes_the_round_trip(rows in 0usize..70, seed: u64, skip in 0usize..10) {
        let batch = support::batch(rows, seed);
        check(&batch);
        let skip = skip.min(rows);
        check(&batch.slice(skip, (rows - skip) / 2));
    }
}

#[test]
fn a_batch_without_columns_is_its_row_count() {
    let schema = Arc::new(Schema::empty());
    let options = RecordBatchOptions::new().with_row_count(Some(77));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), vec![], &options).expect("no columns");
    let bytes = encode_batch(&batch).expect("encodes");
    assert_eq!(decode_batch(&Buffer::from(bytes), &schema, &LIMITS).expect("own message").num_rows(), 77);
}

#[test]
fn arrow_can_put_intervals_together_wherever_they_lay() {
    let months = IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano::new(1, 2, 3); 5]);
    let batch = RecordBatch::try_from_iter([("i", Arc::new(months) as ArrayRef)]).expect("one column");
    let bytes = encode_batch(&batch).expect("encodes");
    for shift in [0, 1, 8] {
        let got = decode_batch(&support::shifted(&bytes, shift), &batch.schema(), &LIMITS).expect("own message");
        // Arrow reads these as i128, and panics where they lie at a multiple of 8 only.
        let twice = concat_batches(&batch.schema(), [&got, &got]).expect("one schema");
        assert_eq!((twice.slice(0, 5), twice.slice(5, 5)), (batch.clone(), batch.clone()));
    }
}

#[test]
fn a_schema_keeps_nullability_zones_and_field_metadata() {
    let field = Field::new("t", DataType::Timestamp(TimeUnit::Second, Some("+01:00".into())), false)
        .with_metadata([("unit".to_owned(), "s".to_owned())].into());
    let schema = Schema::new(vec![field]);
    assert_eq!(decode_schema(&encode_schema(&schema).expect("encodes")).expect("own schema"), schema);
}
