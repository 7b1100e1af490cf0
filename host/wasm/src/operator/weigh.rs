//! How many bytes rows have: those that are carried along leave in records of bounded size, and none may become too much.

use arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType;

use super::{CALL_BYTES_MAX, CALL_ROWS_MAX};

/// How many rows with these parents one record takes: at most [`CALL_ROWS_MAX`], and as many as carry
/// [`CALL_BYTES_MAX`] bytes at most, but one at least. Without `bytes` they carry nothing.
pub(super) fn chunk_rows(parents: &[u32], bytes: &[usize]) -> usize {
    let parents = &parents[..parents.len().min(CALL_ROWS_MAX)];
    if bytes.is_empty() {
        return parents.len();
    }
    let mut sum = 0_usize;
    let fits = |parent: &&u32| {
        sum = sum.saturating_add(bytes[**parent as usize]);
        sum <= CALL_BYTES_MAX
    };
    parents.iter().take_while(fits).count().max(1).min(parents.len())
}

/// The bytes of each row, over all columns.
pub(crate) fn row_bytes(batch: &RecordBatch) -> Vec<usize> {
    let mut bytes = vec![0; batch.num_rows()];
    batch.columns().iter().for_each(|column| add(column, &mut bytes));
    bytes
}

/// Adds the bytes of each value, whatever its neighbours are: exact for numbers, texts, binaries and lists of any depth, a
/// byte for a truth value, the mean for what has one size (and for dictionaries).
fn add(column: &ArrayRef, bytes: &mut [usize]) {
    match column.data_type() {
        DataType::Utf8 => add_lengths(column.as_string::<i32>().offsets(), bytes),
        DataType::LargeUtf8 => add_lengths(column.as_string::<i64>().offsets(), bytes),
        DataType::Binary => add_lengths(column.as_binary::<i32>().offsets(), bytes),
        DataType::LargeBinary => add_lengths(column.as_binary::<i64>().offsets(), bytes),
        DataType::Utf8View => add_views(column.as_string_view().views(), bytes),
        DataType::BinaryView => add_views(column.as_binary_view().views(), bytes),
        DataType::List(_) => add_items(column.as_list::<i32>().offsets(), column.as_list::<i32>().values(), bytes),
        DataType::LargeList(_) => add_items(column.as_list::<i64>().offsets(), column.as_list::<i64>().values(), bytes),
        DataType::Map(..) => {
            let map = column.as_map();
            add_items(map.offsets(), &(std::sync::Arc::new(map.entries().clone()) as ArrayRef), bytes);
        }
        DataType::Struct(_) => column.as_struct().columns().iter().for_each(|child| add(child, bytes)),
        DataType::Boolean => bytes.iter_mut().for_each(|sum| *sum += 1),
        other => {
            let size = other.primitive_width().unwrap_or_else(|| mean_bytes(column));
            bytes.iter_mut().for_each(|sum| *sum += size);
        }
    }
}

fn mean_bytes(column: &ArrayRef) -> usize {
    column.to_data().get_slice_memory_size().unwrap_or_default().div_ceil(column.len().max(1))
}

fn add_lengths<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>, bytes: &mut [usize]) {
    for (sum, length) in bytes.iter_mut().zip(offsets.lengths()) {
        *sum += size_of::<O>() + length;
    }
}

fn add_views(views: &[u128], bytes: &mut [usize]) {
    for (sum, view) in bytes.iter_mut().zip(views) {
        // The low half of the low half of a view is the length of its text; the copied record refers to the text itself.
        *sum += size_of::<u128>() + (*view as u32) as usize;
    }
}

fn add_items<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>, items: &ArrayRef, bytes: &mut [usize]) {
    let first = offsets[0].as_usize();
    let items = items.slice(first, offsets[offsets.len() - 1].as_usize() - first);
    let mut item_bytes = vec![0; items.len()];
    add(&items, &mut item_bytes);
    for (sum, range) in bytes.iter_mut().zip(offsets.windows(2)) {
        let range = range[0].as_usize() - first..range[1].as_usize() - first;
        *sum += size_of::<O>() + item_bytes[range].iter().sum::<usize>();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, ListArray, StringArray};
    use arrow::datatypes::{Field, Int64Type};

    use super::*;

    #[test]
    fn rows_weigh_what_their_values_do() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["", "abc", "", "abcdefg"]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
        let lists = [Some(vec![]), Some(vec![Some(1), Some(2)]), None, Some(vec![Some(3)])];
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists));
        let batch = RecordBatch::try_from_iter([("t", Arc::clone(&texts)), ("n", numbers)]).expect("fits");
        assert_eq!(row_bytes(&batch), [12, 15, 12, 19]);
        assert_eq!(row_bytes(&batch.slice(1, 2)), [15, 12]);
        let batch = RecordBatch::try_from_iter([("l", lists)]).expect("fits");
        assert_eq!(row_bytes(&batch), [4, 20, 4, 12]);
        assert_eq!(row_bytes(&batch.slice(2, 2)), [4, 12]);
        let item = Arc::new(Field::new("item", DataType::Utf8, true));
        let nested = ListArray::new(item, OffsetBuffer::from_lengths([3, 1]), texts, None);
        let batch = RecordBatch::try_from_iter([("l", Arc::new(nested) as ArrayRef)]).expect("fits");
        assert_eq!(row_bytes(&batch), [4 + 3 * 4 + 3, 4 + 4 + 7]);
    }

    #[test]
    fn chunks_are_bounded_in_rows_and_bytes_and_never_empty() {
        let many = vec![0; CALL_ROWS_MAX + 1];
        assert_eq!(chunk_rows(&many, &[]), CALL_ROWS_MAX);
        assert_eq!(chunk_rows(&many, &[8]), CALL_ROWS_MAX);
        assert_eq!(chunk_rows(&many, &[CALL_BYTES_MAX / 4]), 4);
        assert_eq!(chunk_rows(&many, &[CALL_BYTES_MAX * 2]), 1);
        assert_eq!(chunk_rows(&[0, 1, 1], &[1, CALL_BYTES_MAX - 1]), 2);
        assert_eq!(chunk_rows(&[], &[1]), 0);
    }
}
