//! Batches that hold on to far more memory than they use are copied out of it.

use arrow::array::{Array, ArrayData, MutableArrayData, RecordBatch, RecordBatchOptions, make_array};
use arrow::datatypes::{ArrowNativeType, DataType};
use arrow::error::ArrowError;

/// Bytes that a message may have beyond twice what its batch uses: metadata, and padding of small columns.
const SLACK_BYTES: usize = 4 << 10;

/// The batch itself, or a copy of what it uses when the message that it refers to is much larger: gaps between buffers,
/// or values that no offset reaches, would live as long as the batch does.
pub(crate) fn trim(batch: RecordBatch, message_bytes: usize) -> Result<RecordBatch, ArrowError> {
    let columns: Vec<ArrayData> = batch.columns().iter().map(|column| column.to_data()).collect();
    let used: usize = columns.iter().map(used_bytes).sum();
    if message_bytes <= used.saturating_mul(2).saturating_add(SLACK_BYTES) {
        return Ok(batch);
    }
    let copies = columns.iter().map(|column| {
        let mut copy = MutableArrayData::new(vec![column], false, column.len());
        copy.extend(0, 0, column.len());
        make_array(copy.freeze())
    });
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), copies.collect(), &options)
}

/// Bytes that the values take, without what lies beside them in their buffers.
fn used_bytes(data: &ArrayData) -> usize {
    match data.data_type() {
        DataType::List(_) | DataType::Map(..) => own_bytes(data) + items_bytes::<i32>(data),
        DataType::LargeList(_) => own_bytes(data) + items_bytes::<i64>(data),
        DataType::Struct(_) | DataType::FixedSizeList(..) => {
            own_bytes(data) + data.child_data().iter().map(used_bytes).sum::<usize>()
        }
        _ => data.get_slice_memory_size().unwrap_or_default(),
    }
}

/// Bytes of a bitmap of nulls.
fn own_bytes(data: &ArrayData) -> usize {
    data.nulls().map_or(0, |_| data.len().div_ceil(8))
}

/// Bytes of offsets, and of the items that they reach.
fn items_bytes<O: ArrowNativeType>(data: &ArrayData) -> usize {
    if data.is_empty() {
        return 0;
    }
    let offsets = &data.buffer::<O>(0)[..=data.len()];
    let (first, last) = (offsets[0].as_usize(), offsets[data.len()].as_usize());
    size_of_val(offsets) + used_bytes(&data.child_data()[0].slice(first, last - first))
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
