//! Gathering the live rows of a batch, without a branch per row where the values allow it.
//!
//! Arrow's `filter` walks over the set bits of every column anew, which is slow where live and dead rows alternate at
//! random. Here the set bits are turned into places once for the batch, eight bits at a time by a table, and numbers
//! without nulls, which are most of what flows, are picked by place.

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

/// For each byte the places of its set bits, the lowest first, one in each byte of a little-endian word.
const PLACES: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let (mut bit, mut found) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                table[byte] |= bit << (8 * found);
                found += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    table
};

/// The same number in each byte of a word.
const IN_EACH_BYTE: u64 = 0x0101_0101_0101_0101;

/// The live rows of a batch; `live` has one bit for each of its rows.
pub(crate) fn live_rows(batch: &RecordBatch, live: &BooleanBuffer) -> Result<RecordBatch, ArrowError> {
    let live = LiveRows::new(live);
    let columns = batch.columns().iter().map(|column| live.gather(column)).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(live.count));
    RecordBatch::try_new_with_options(batch.schema(), columns, &options)
}

/// Which rows to gather, in the forms that the columns of a batch need: each is worked out once, for the first column
/// that needs it.
struct LiveRows<'a> {
    live: &'a BooleanBuffer,
    count: usize,
    /// Of each live row its place among the rows of its word, in order.
    places: OnceCell<Vec<u8>>,
    predicate: OnceCell<FilterPredicate>,
}

impl<'a> LiveRows<'a> {
    fn new(live: &'a BooleanBuffer) -> Self {
        Self { live, count: live.count_set_bits(), places: OnceCell::new(), predicate: OnceCell::new() }
    }

    fn gather(&self, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        if column.null_count() == 0 {
            let column = column.as_ref();
            downcast_primitive_array!(
                column => return Ok(self.gather_numbers(column)),
                _ => {}
            );
        }
        let by_arrow = || FilterBuilder::new(&BooleanArray::new(self.live.clone(), None)).optimize().build();
        self.predicate.get_or_init(by_arrow).filter(column.as_ref())
    }

    fn gather_numbers<T: ArrowPrimitiveType>(&self, column: &PrimitiveArray<T>) -> ArrayRef {
        let values = self.gather_values(column.values());
        Arc::new(PrimitiveArray::<T>::new(values.into(), None).with_data_type(column.data_type().clone()))
    }

    fn gather_values<T: ArrowNativeType>(&self, values: &[T]) -> Vec<T> {
        let mut places = &self.places.get_or_init(|| places(self.live, self.count))[..];
        let mut out = Vec::with_capacity(self.count);
        for (word, values) in self.live.bit_chunks().iter_padded().zip(values.chunks(WORD_ROWS)) {
            let (here, behind) = places.split_at(word.count_ones() as usize);
            places = behind;
            match values.as_array::<WORD_ROWS>() {
                _ if here.len() == values.len() => out.extend_from_slice(values),
                // The mask changes nothing and spares a check for each row.
                Some(values) => out.extend(here.iter().map(|place| values[usize::from(*place) % WORD_ROWS])),
                None => out.extend(here.iter().map(|place| values[usize::from(*place)])),
            }
        }
        out
    }
}

/// Of each of `count` set bits its place in its word of 64.
fn places(live: &BooleanBuffer, count: usize) -> Vec<u8> {
    // Eight are written at a time, of which those behind the last set bit are overwritten by the next.
    let mut out = vec![0; count + 8];
    let mut found = 0;
    for word in live.bit_chunks().iter_padded().filter(|word| *word != 0) {
        for (index, byte) in (0..).zip(word.to_le_bytes()) {
            let places = PLACES[usize::from(byte)] + IN_EACH_BYTE * (8 * index);
            if let Some(room) = out[found..].first_chunk_mut() {
                *room = places.to_le_bytes();
            }
            found += byte.count_ones() as usize;
        }
    }
    out.truncate(count);
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
