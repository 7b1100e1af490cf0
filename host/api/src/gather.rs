//! Gathering the live rows of a batch, without a branch per row where the values allow it.
//!
//! Arrow's `filter` walks over the set bits, which is slow where live and dead rows alternate at random. Numbers without
//! nulls, which are most of what flows, are gathered here: each value is written where the next live one belongs, and
//! only a live one moves that place on.

use std::cell::OnceCell;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray, RecordBatch, RecordBatchOptions,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{FilterBuilder, FilterPredicate};
use arrow::datatypes::ArrowNativeType;
use arrow::downcast_primitive_array;
use arrow::error::ArrowError;

/// Rows that one word of a selection tells of.
const WORD_ROWS: usize = 64;

/// With so few live rows among 64 it is faster to look for them.
const SPARSE_ROWS_MAX: u32 = 8;

/// The live rows of a batch; `live` has one bit for each of its rows.
pub(crate) fn live_rows(batch: &RecordBatch, live: &BooleanBuffer) -> Result<RecordBatch, ArrowError> {
    let rows = live.count_set_bits();
    let predicate = OnceCell::new();
    let columns = batch.columns().iter().map(|column| gather(column, live, rows, &predicate));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(batch.schema(), columns, &options)
}

fn gather(
    column: &ArrayRef,
    live: &BooleanBuffer,
    rows: usize,
    predicate: &OnceCell<FilterPredicate>,
) -> Result<ArrayRef, ArrowError> {
    if column.null_count() == 0 {
        let column = column.as_ref();
        downcast_primitive_array!(
            column => return Ok(gather_numbers(column, live, rows)),
            _ => {}
        );
    }
    // Worked out once for all columns that need it.
    let by_arrow = || FilterBuilder::new(&BooleanArray::new(live.clone(), None)).optimize().build();
    predicate.get_or_init(by_arrow).filter(column.as_ref())
}

fn gather_numbers<T: ArrowPrimitiveType>(column: &PrimitiveArray<T>, live: &BooleanBuffer, rows: usize) -> ArrayRef {
    let values = gather_values(column.values(), live, rows);
    Arc::new(PrimitiveArray::<T>::new(values.into(), None).with_data_type(column.data_type().clone()))
}

fn gather_values<T: ArrowNativeType>(values: &[T], live: &BooleanBuffer, rows: usize) -> Vec<T> {
    // One word more than rows: dead rows behind the last live one are written there.
    let mut out = vec![T::default(); rows + WORD_ROWS];
    let mut kept = 0;
    for (mut word, values) in live.bit_chunks().iter_padded().zip(values.chunks(WORD_ROWS)) {
        match word.count_ones() {
            0 => {}
            64 => {
                out[kept..kept + WORD_ROWS].copy_from_slice(values);
                kept += WORD_ROWS;
            }
            1..=SPARSE_ROWS_MAX => {
                while word != 0 {
                    out[kept] = values[word.trailing_zeros() as usize];
                    kept += 1;
                    word &= word - 1;
                }
            }
            live => {
                let room = out[kept..].first_chunk_mut::<WORD_ROWS>().expect("a word more than rows");
                let mut next = 0;
                for value in values {
                    // Never beyond the room: at most one place for each value so far. The mask spares the check.
                    room[next % WORD_ROWS] = *value;
                    next += (word & 1) as usize;
                    word >>= 1;
                }
                kept += live as usize;
            }
        }
    }
    out.truncate(rows);
    out
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal128Array, Int64Array, StringArray, TimestampMillisecondArray, UInt8Array};
    use arrow::compute::filter_record_batch;

    use super::*;

    fn batch(rows: usize) -> RecordBatch {
        let numbers = || (0..).take(rows);
        let nulls = Int64Array::from_iter(numbers().map(|n| (n % 3 != 0).then_some(n)));
        let times = TimestampMillisecondArray::from_iter_values(numbers()).with_timezone("Europe/Berlin");
        let decimals = Decimal128Array::from_iter_values(numbers().map(i128::from));
        let decimals = decimals.with_precision_and_scale(20, 2).expect("fits");
        let columns: [(&str, ArrayRef); 6] = [
            ("numbers", Arc::new(Int64Array::from_iter_values(numbers()))),
            ("nulls", Arc::new(nulls)),
            ("times", Arc::new(times)),
            ("decimals", Arc::new(decimals)),
            ("bytes", Arc::new(UInt8Array::from_iter_values(numbers().map(|n| (n % 251) as u8)))),
            ("texts", Arc::new(StringArray::from_iter_values(numbers().map(|n| n.to_string())))),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).expect("fits")
    }

    #[test]
    fn it_gives_what_arrow_gives() {
        let one_in = |n: usize| move |row: usize| row.wrapping_mul(7).is_multiple_of(n);
        let patterns: [Box<dyn Fn(usize) -> bool>; 6] = [
            Box::new(|_| false),
            Box::new(|_| true),
            Box::new(one_in(2)),
            Box::new(one_in(40)),
            Box::new(|row| row / 100 % 2 == 0),
            Box::new(|row| (row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40).is_multiple_of(2)),
        ];
        for rows in [1, 63, 64, 65, 1_000] {
            let batch = batch(rows);
            for pattern in &patterns {
                // With and without an offset into a byte.
                for skip in [0, 3] {
                    let live: BooleanBuffer = (0..rows + skip).map(pattern).collect();
                    let live = live.slice(skip, rows);
                    let expected = filter_record_batch(&batch, &BooleanArray::new(live.clone(), None));
                    assert_eq!(live_rows(&batch, &live).expect("gathers"), expected.expect("filters"));
                }
            }
        }
    }

    #[test]
    fn rows_without_columns_are_counted() {
        let options = RecordBatchOptions::new().with_row_count(Some(5));
        let schema = Arc::new(arrow::datatypes::Schema::empty());
        let batch = RecordBatch::try_new_with_options(schema, vec![], &options).expect("rows");
        let live = BooleanBuffer::from_iter([true, false, true, true, false]);
        assert_eq!(live_rows(&batch, &live).expect("gathers").num_rows(), 3);
    }
}
