//! Batches that tests begin with, and rows as text that they end with.
#![allow(dead_code, unreachable_pub, reason = "each test file is a crate that uses its share")]

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::util::display::array_value_to_string;
use volley::prelude::*;

/// Rows of `who`, `amount` and `at` (milliseconds).
pub fn batch(rows: &[(&str, Option<i64>, i64)]) -> RecordBatch {
    let who: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0)));
    let amount: ArrayRef = Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.1)));
    let at: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2)));
    RecordBatch::try_from_iter_with_nullable([("who", who, false), ("amount", amount, true), ("at", at, false)])
        .expect("three columns")
}

pub fn some_rows() -> RecordBatch {
    batch(&[("ann", Some(1), 0), ("bob", None, 500), ("ann", Some(3), 1500), ("cid", Some(4), 2500)])
}

/// A stream of [`some_rows`].
pub fn stream(env: &StreamExecutionEnvironment) -> DataStream {
    env.from_batches(some_rows().schema(), vec![some_rows()])
}

/// Each row as text, `ann 1 0`, in order.
pub fn rows(batches: &[RecordBatch]) -> Vec<String> {
    let row = |batch: &RecordBatch, row: usize| {
        let value = |column: &ArrayRef| match column.is_null(row) {
            true => "null".to_owned(),
            false => array_value_to_string(column, row).expect("text"),
        };
        batch.columns().iter().map(value).collect::<Vec<_>>().join(" ")
    };
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|index| row(batch, index)).collect::<Vec<_>>()).collect()
}

pub fn sorted(batches: &[RecordBatch]) -> Vec<String> {
    let mut rows = rows(batches);
    rows.sort_unstable();
    rows
}

/// The rows of a stream, sorted.
#[track_caller]
pub fn collected(stream: &DataStream) -> Vec<String> {
    sorted(&stream.collect_blocking().unwrap_or_else(|error| panic!("{}", error.report())))
}

/// What is wrong with a stream.
#[track_caller]
pub fn refused(stream: &DataStream) -> String {
    stream.collect_blocking().expect_err("refused").report()
}
