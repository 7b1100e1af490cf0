//! Batches that hold on to far more memory than they use are copied out of it.

use arrow::array::{Array, AsArray, MutableArrayData, OffsetSizeTrait, RecordBatch, RecordBatchOptions, make_array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{ArrowNativeType, DataType};
use arrow::error::ArrowError;

use crate::scan::width_bytes;

/// Bytes that a message may have beyond twice what its batch uses: metadata, and padding of small columns.
const SLACK_BYTES: usize = 4 << 10;

/// The batch itself, or a copy of what it uses when the message that it refers to is much larger: gaps between buffers,
/// or values that no offset reaches, would live as long as the batch does.
pub(crate) fn trim(batch: RecordBatch, message_bytes: usize) -> Result<RecordBatch, ArrowError> {
    let used: usize = batch.columns().iter().map(|column| used_bytes(column, 0, column.len())).sum();
    if message_bytes <= used.saturating_mul(2).saturating_add(SLACK_BYTES) {
        return Ok(batch);
    }
    let copies = batch.columns().iter().map(|column| {
        let data = column.to_data();
        let mut copy = MutableArrayData::new(vec![&data], false, data.len());
        copy.extend(0, 0, data.len());
        make_array(copy.freeze())
    });
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), copies.collect(), &options)
}

/// Bytes that the values from `begin` to `end` take, without what lies beside them in their buffers.
fn used_bytes(array: &dyn Array, begin: usize, end: usize) -> usize {
    let count = end - begin;
    let nulls = array.nulls().map_or(0, |_| count.div_ceil(8));
    let values = match array.data_type() {
        DataType::Boolean => count.div_ceil(8),
        DataType::Utf8 => bytes_between(array.as_string::<i32>().offsets(), begin, end),
        DataType::LargeUtf8 => bytes_between(array.as_string::<i64>().offsets(), begin, end),
        DataType::Binary => bytes_between(array.as_binary::<i32>().offsets(), begin, end),
        DataType::LargeBinary => bytes_between(array.as_binary::<i64>().offsets(), begin, end),
        DataType::List(_) => items_bytes(array.as_list::<i32>().offsets(), array.as_list::<i32>().values(), begin, end),
        DataType::LargeList(_) => {
            items_bytes(array.as_list::<i64>().offsets(), array.as_list::<i64>().values(), begin, end)
        }
        DataType::Map(..) => items_bytes(array.as_map().offsets(), array.as_map().entries(), begin, end),
        DataType::Struct(_) => array.as_struct().columns().iter().map(|child| used_bytes(child, begin, end)).sum(),
        DataType::FixedSizeList(_, size) => {
            let size = size.as_usize();
            used_bytes(array.as_fixed_size_list().values(), begin * size, end * size)
        }
        fixed => count * width_bytes(fixed).unwrap_or_default(),
    };
    nulls + values
}

/// Bytes of offsets, and of the bytes that they reach.
fn bytes_between<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>, begin: usize, end: usize) -> usize {
    size_of::<O>() * (end + 1 - begin) + (offsets[end] - offsets[begin]).as_usize()
}

/// Bytes of offsets, and of the items that they reach.
fn items_bytes<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>, items: &dyn Array, begin: usize, end: usize) -> usize {
    size_of::<O>() * (end + 1 - begin) + used_bytes(items, offsets[begin].as_usize(), offsets[end].as_usize())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, ListArray, StringArray, StructArray};
    use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
    use arrow::datatypes::Field;

    use super::*;

    const LONG: usize = 1 << 20;

    /// Two rows `"aa"`, `"a"` at the end of a mebibyte, plain and as an item of a list.
    fn wasteful() -> RecordBatch {
        let end = i32::try_from(LONG).expect("fits");
        let offsets = OffsetBuffer::new(ScalarBuffer::from(vec![end - 3, end - 1, end]));
        let texts: ArrayRef = Arc::new(StringArray::new(offsets, Buffer::from(vec![b'a'; LONG]), None));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![7; LONG / 8]));
        let offsets = OffsetBuffer::new(ScalarBuffer::from(vec![5, 5, 7]));
        let item = Arc::new(Field::new("item", DataType::Int64, true));
        let lists: ArrayRef = Arc::new(ListArray::new(item, offsets, numbers, None));
        let nested: ArrayRef = Arc::new(StructArray::from(vec![(
            Arc::new(Field::new("l", lists.data_type().clone(), true)),
            Arc::clone(&lists),
        )]));
        RecordBatch::try_from_iter([("t", texts), ("l", lists), ("s", nested)]).expect("fits")
    }

    #[test]
    fn what_is_not_used_is_let_go() {
        let batch = wasteful();
        for column in 0..3 {
            let one = batch.project(&[column]).expect("there");
            let trimmed = trim(one.clone(), LONG).expect("copies");
            assert_eq!(trimmed, one);
            let held = trimmed.get_array_memory_size();
            assert!(held < SLACK_BYTES, "column {column} holds {held} bytes");
        }
    }

    #[test]
    fn what_is_used_is_not_copied() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1; 4096]));
        let batch = RecordBatch::try_from_iter([("n", Arc::clone(&numbers))]).expect("fits");
        let same = trim(batch, 2 * 8 * 4096 + SLACK_BYTES).expect("as it is");
        assert!(same.column(0).to_data().ptr_eq(&numbers.to_data()));
        let none = trim(wasteful().slice(0, 0), LONG).expect("no rows");
        assert_eq!((none.num_rows(), none.num_columns()), (0, 3));
    }
}
