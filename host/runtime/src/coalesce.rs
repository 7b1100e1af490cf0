//! Joins small records before an operator whose calls have a fixed cost (design §5).

use arrow::error::ArrowError;
use volley_api::StreamRecord;

/// Rows that one call should carry.
const ROWS_TARGET: usize = 8192;
/// Bytes that one call should carry: they stay in a core's second-level cache.
const BYTES_TARGET: usize = 256 * 1024;
/// A record with this share of either is worth a call of its own: joining it to others would cost more.
const ENOUGH: usize = 8;

/// Holds records back until they are worth a call. Keeps order.
#[derive(Debug, Default)]
pub(crate) struct Coalescer {
    held: Vec<StreamRecord>,
    rows: usize,
    bytes: usize,
}

impl Coalescer {
    /// Takes a record and gives back what is ready. A record that is large enough by itself is never copied.
    pub(crate) fn push(&mut self, record: StreamRecord) -> Result<Vec<StreamRecord>, ArrowError> {
        let record = record.compact()?;
        let (rows, bytes) = (record.num_rows(), record.memory_bytes());
        let mut ready = Vec::new();
        if rows >= ROWS_TARGET / ENOUGH || bytes >= BYTES_TARGET / ENOUGH {
            ready.extend(self.flush()?);
            ready.push(record);
            return Ok(ready);
        }
        if self.rows + rows > ROWS_TARGET || self.bytes + bytes > BYTES_TARGET {
            ready.extend(self.flush()?);
        }
        self.held.push(record);
        self.rows += rows;
        self.bytes += bytes;
        Ok(ready)
    }

    /// Gives back what is held, as one record.
    pub(crate) fn flush(&mut self) -> Result<Option<StreamRecord>, ArrowError> {
        if self.held.is_empty() {
            return Ok(None);
        }
        (self.rows, self.bytes) = (0, 0);
        StreamRecord::concat(&std::mem::take(&mut self.held)).map(Some)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
    use arrow::datatypes::Int64Type;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn record(first: i64, rows: usize) -> StreamRecord {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values((first..).take(rows)));
        RecordBatch::try_from_iter([("x", column)]).expect("one column").into()
    }

    proptest! {
        #[test]
        fn every_row_comes_out_once_and_in_order(sizes in proptest::collection::vec(1_usize..6000, 0..40)) {
            let mut coalescer = Coalescer::default();
            let mut out = Vec::new();
            let mut next = 0;
            for size in &sizes {
                out.extend(coalescer.push(record(next, *size)).expect("one schema"));
                next += *size as i64;
            }
            out.extend(coalescer.flush().expect("one schema"));
            prop_assert!(coalescer.is_empty());
            let values: Vec<i64> = out
                .iter()
                .flat_map(|record| record.batch.column(0).as_primitive::<Int64Type>().values().to_vec())
                .collect();
            prop_assert_eq!(values, (0..next).collect::<Vec<_>>());
            prop_assert!(out.iter().all(|record| record.num_rows() <= ROWS_TARGET));
        }
    }

    #[test]
    fn small_records_are_joined_and_large_ones_left_alone() {
        let mut coalescer = Coalescer::default();
        assert!(coalescer.push(record(0, 10)).expect("one schema").is_empty());
        let ready = coalescer.push(record(10, 5000)).expect("one schema");
        assert_eq!(ready.iter().map(StreamRecord::num_rows).collect::<Vec<_>>(), [10, 5000]);
        assert!(coalescer.is_empty());
    }
}
