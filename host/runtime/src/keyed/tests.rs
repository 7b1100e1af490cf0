//! Keys and their numbers, against a map.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::UInt64Array;
use arrow::array::{
    Array, AsArray, BooleanArray, Date32Array, DictionaryArray, Float64Array, Int16Array, Int64Array, StringArray,
    StringViewArray, TimestampMillisecondArray,
};
use arrow::compute::{concat, take};
use arrow::datatypes::{Float64Type, Int32Type};
use proptest::prelude::*;

use super::*;

fn table(columns: &[ArrayRef]) -> KeyTable {
    let types: Vec<_> = columns.iter().map(|column| column.data_type().clone()).collect();
    KeyTable::new(&types).expect("types of keys")
}

/// Numbers the keys, and checks that the table gives each row's key back under its number.
fn numbers(table: &mut KeyTable, columns: &[ArrayRef]) -> Vec<usize> {
    let mut numbers = Vec::new();
    table.intern(columns, &mut numbers).expect("numbers");
    let rows = UInt64Array::from_iter_values(numbers.iter().map(|&number| number as u64));
    for (kept, column) in table.columns().expect("keys").iter().zip(columns) {
        let seen = take(kept, &rows, None).expect("numbers of keys");
        assert_eq!(&seen, &normalize_keys(column).expect("a key"));
    }
    numbers
}

#[test]
fn every_kind_of_column_is_numbered_and_given_back() {
    let columns: [ArrayRef; 6] = [
        Arc::new(Int64Array::from(vec![Some(7), None, Some(0), Some(7), None])),
        Arc::new(Int16Array::from(vec![Some(7), None, Some(0), Some(7), None])),
        Arc::new(TimestampMillisecondArray::from(vec![Some(7), None, Some(0), Some(7), None]).with_timezone("UTC")),
        Arc::new(Date32Array::from(vec![Some(7), None, Some(0), Some(7), None])),
        Arc::new(StringViewArray::from(vec![Some("a"), None, Some(""), Some("a"), None])),
        Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), Some(true), None])),
    ];
    for column in &columns {
        assert_eq!(numbers(&mut table(std::slice::from_ref(column)), std::slice::from_ref(column)), [0, 1, 2, 0, 1]);
    }
    assert_eq!(numbers(&mut table(&columns), &columns), [0, 1, 2, 0, 1]);
}

#[test]
fn floats_and_dictionaries_are_compared_by_value() {
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN, 1.0]));
    let mut keys = table(std::slice::from_ref(&floats));
    let mut seen = Vec::new();
    keys.intern(&[floats], &mut seen).expect("numbers");
    assert_eq!(seen, [0, 0, 1, 1, 2]);
    assert!(keys.columns().expect("keys")[0].as_primitive::<Float64Type>().value(0).is_sign_positive());
    let words: DictionaryArray<Int32Type> = vec!["x", "y", "x"].into_iter().collect();
    let words: ArrayRef = Arc::new(words);
    assert_eq!(numbers(&mut table(std::slice::from_ref(&words)), &[words]), [0, 1, 0]);
}

proptest! {
    #[test]
    fn it_numbers_as_a_map_would(batches in prop::collection::vec(prop::collection::vec((prop::option::of(0_i64..300), 0_u8..3), 1..400), 1..6)) {
        let texts = |batch: &[(Option<i64>, u8)]| -> ArrayRef { Arc::new(StringArray::from_iter_values(batch.iter().map(|(_, text)| "x".repeat(usize::from(*text) * 9)))) };
        let ints = |batch: &[(Option<i64>, u8)]| -> ArrayRef { Arc::new(batch.iter().map(|(int, _)| int.map(|int| int.wrapping_mul(i64::MAX / 7))).collect::<Int64Array>()) };
        let mut one = KeyTable::new(&[DataType::Int64]).expect("a key");
        let mut two = KeyTable::new(&[DataType::Int64, DataType::Utf8]).expect("a key");
        let (mut model_one, mut model_two) = (HashMap::new(), HashMap::new());
        let mut seen: Vec<ArrayRef> = Vec::new();
        for batch in &batches {
            let expected: Vec<usize> = batch.iter().map(|(int, _)| { let next = model_one.len(); *model_one.entry(*int).or_insert(next) }).collect();
            prop_assert_eq!(numbers(&mut one, &[ints(batch)]), expected);
            let expected: Vec<usize> = batch.iter().map(|key| { let next = model_two.len(); *model_two.entry(*key).or_insert(next) }).collect();
            prop_assert_eq!(numbers(&mut two, &[ints(batch), texts(batch)]), expected);
            seen.push(ints(batch));
        }
        let all = concat(&seen.iter().map(|column| column.as_ref()).collect::<Vec<_>>()).expect("one type");
        prop_assert_eq!(one.len(), model_one.len());
        prop_assert_eq!(numbers(&mut one, &[all]).len(), batches.iter().map(Vec::len).sum::<usize>());
    }
}
