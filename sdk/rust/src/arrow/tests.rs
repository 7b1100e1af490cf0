//! Every type there and back, with nulls, whole and sliced, from messages and from arrays.

use std::sync::Arc;

use arrow_array::types::{Int8Type, UInt64Type};
use arrow_array::{
    Array as _, ArrayRef, BinaryViewArray, DictionaryArray, Int32Array, ListArray, MapArray, RecordBatch as ArrowBatch,
    StringArray, StringViewArray, StructArray,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType as ArrowType, Field as ArrowField};
use proptest::prelude::*;

use crate::build::{Builder as _, DictionaryBuilder};
use crate::wire::oracle::{Rows, batch_by_arrow, batch_of, columns};
use crate::wire::{Frame, places};
use crate::{Array, Batch, DataType, RecordBatch, Schema};

/// The batch through a message and through arrays, and the rows from `start` on.
fn check(batch: &ArrowBatch, start: usize) {
    let schema = Schema::from_arrow(batch.schema_ref());
    assert_eq!(&schema.to_arrow().unwrap(), batch.schema_ref().as_ref());
    let (message, places) = (batch_by_arrow(batch), places(&schema).unwrap());
    let frame = Frame::open(message.bytes(), &schema, &places).unwrap();
    assert_eq!(&Batch::of_message(&schema, &frame, &places).to_arrow().unwrap(), batch);
    let ours = RecordBatch::from_arrow(batch).unwrap();
    assert_eq!(&ours.to_arrow().unwrap(), batch);
    let start = start.min(batch.num_rows());
    let tail = batch.slice(start, batch.num_rows() - start);
    assert_eq!(RecordBatch::from_arrow(&tail).unwrap().to_arrow().unwrap(), tail);
    for (ours, theirs) in ours.columns().iter().zip(tail.columns()) {
        assert_eq!(&ours.column("").slice(start, tail.num_rows()).to_arrow().unwrap(), theirs);
    }
}

/// A column, there and back.
fn again(array: &ArrayRef) -> ArrayRef {
    Array::from_arrow(array).unwrap().column("").to_arrow().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn batches_go_there_and_back(
        rows in prop::collection::vec((prop::option::of(-1_000_000_i64..1_000_000), prop::option::of(".{0,6}")), 0..40),
        start in 0_usize..20,
    ) {
        let (numbers, texts): (Rows<i64>, Rows<String>) = rows.iter().cloned().unzip();
        check(&batch_of(columns(&numbers, &texts), rows.len()), start);
    }
}

#[test]
fn a_batch_without_columns_keeps_its_rows() {
    check(&batch_of(Vec::new(), 7), 3);
}

#[test]
fn maps_and_structs_without_columns_go_there_and_back() {
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c", "d"]));
    let values: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3), None]));
    let fields =
        vec![ArrowField::new("keys", ArrowType::Utf8, false), ArrowField::new("values", ArrowType::Int32, true)];
    let entries = StructArray::new(fields.into(), vec![keys, values], None);
    let entry = Arc::new(ArrowField::new("entries", entries.data_type().clone(), false));
    let offsets = OffsetBuffer::from_lengths([1, 0, 2, 1]);
    let nulls = Some(vec![true, false, true, true].into());
    let map: ArrayRef = Arc::new(MapArray::new(entry, offsets, entries, nulls, false));
    assert_eq!(&again(&map), &map);
    assert_eq!(&again(&map.slice(2, 2)), &map.slice(2, 2));
    let empty: ArrayRef = Arc::new(StructArray::new_empty_fields(3, Some(vec![true, false, true].into())));
    assert_eq!(&again(&empty), &empty);
}

#[test]
fn dictionaries_come_unpacked_and_views_plain() {
    let texts = [Some("a"), None, Some("b"), Some("a")];
    let plain: ArrayRef = Arc::new(texts.into_iter().collect::<StringArray>());
    let narrow: ArrayRef = Arc::new(texts.into_iter().collect::<DictionaryArray<Int8Type>>());
    let wide: ArrayRef = Arc::new(texts.into_iter().collect::<DictionaryArray<UInt64Type>>());
    let view: ArrayRef = Arc::new(texts.into_iter().collect::<StringViewArray>());
    for array in [narrow, wide, view] {
        assert_eq!(&again(&array), &plain);
        assert_eq!(&again(&array.slice(1, 2)), &plain.slice(1, 2));
    }
    let nothing: ArrayRef = Arc::new([None::<&str>; 2].into_iter().collect::<DictionaryArray<Int8Type>>());
    assert_eq!(again(&nothing).null_count(), 2);
    let bytes: ArrayRef = Arc::new([Some(b"x".as_slice()), None].into_iter().collect::<BinaryViewArray>());
    assert_eq!(again(&bytes).data_type(), &ArrowType::Binary);
}

#[test]
fn a_dictionary_that_was_built_stays_one() {
    let mut builder = DictionaryBuilder::new();
    ["a", "b", "a"].into_iter().for_each(|text| builder.push(text));
    builder.push_null();
    let array = builder.finish().column("").slice(1, 3).to_arrow().unwrap();
    let dictionary = array.as_any().downcast_ref::<DictionaryArray<arrow_array::types::Int32Type>>().unwrap();
    let texts: Vec<Option<&str>> = dictionary.downcast_dict::<StringArray>().unwrap().into_iter().collect();
    assert_eq!(texts, [Some("b"), Some("a"), None]);
}

#[test]
fn what_has_no_view_is_refused_and_what_is_broken_is_an_error() {
    let narrow = arrow_array::Decimal64Array::from(vec![1]);
    assert!(Array::from_arrow(&narrow).unwrap_err().to_string().contains("Decimal64"));
    let lists = ListArray::from_iter_primitive::<Int8Type, _, _>([Some(vec![Some(1)])]);
    assert_eq!(DataType::from_arrow(lists.data_type()).to_string(), "List(Int8)");
    let texts = Array::from_arrow(&StringArray::from(vec!["é", "b"])).unwrap();
    // The first text ends within its character.
    let mut data = texts.data().clone();
    data.values.bytes_mut()[4] = 1;
    assert!(Array::new(DataType::Utf8, data.clone()).column("t").to_arrow().is_err());
    data.values.bytes_mut()[4] = 9;
    let error = Array::new(DataType::Utf8, data).column("t").to_arrow().unwrap_err().to_string();
    assert!(error.contains("column `t` is broken: its offsets descend"), "{error}");
}
