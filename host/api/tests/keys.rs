//! Keys: which columns can be keys, which keys are the same, and how evenly they are dealt out.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Float64Array, Int8Array, Int32Array, Int64Array, StringArray,
    UInt32Array, new_null_array,
};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use volley_api::{ErrorKind, KEY_GROUPS, KeyGroup, KeyHasher, normalize_keys};

fn hashes(columns: &[ArrayRef]) -> Vec<u64> {
    let types: Vec<_> = columns.iter().map(|column| column.data_type().clone()).collect();
    let mut hashes = Vec::new();
    KeyHasher::new(&types).expect("keys").hash_into(columns, &mut hashes);
    hashes
}

fn texts(values: impl IntoIterator<Item = Option<impl AsRef<str>>>) -> ArrayRef {
    Arc::new(StringArray::from_iter(values))
}

#[test]
fn what_cannot_be_a_key_is_named_with_what_to_do() {
    let item = Arc::new(Field::new("item", DataType::Int32, true));
    let list = DataType::List(Arc::clone(&item));
    for nested in [
        list.clone(),
        DataType::Struct(vec![item].into()),
        DataType::Dictionary(Box::new(DataType::Int8), Box::new(list)),
    ] {
        let error = KeyHasher::new(&[DataType::Int32, nested]).expect_err("nested");
        assert_eq!(error.kind(), ErrorKind::Config);
        let message = error.to_string();
        assert!(
            message.contains("Int32") && message.contains("cannot be a key: key by columns of numbers"),
            "{message}"
        );
    }
    assert!(KeyHasher::new(&[]).expect_err("no column").to_string().contains("key_by"));
}

#[test]
#[should_panic(expected = "keys of the columns [Int32] and not of [Int64]")]
fn columns_must_be_those_that_were_announced() {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    KeyHasher::new(&[DataType::Int32]).expect("keys").hash_into(&[column], &mut Vec::new());
}

#[test]
fn nulls_of_dictionaries_are_nulls_wherever_they_stand() {
    let null = hashes(&[new_null_array(&DataType::Int64, 1)])[0];
    let values = texts([Some("a"), None]);
    let keys = Int8Array::from(vec![Some(0), Some(1), None]);
    let column: ArrayRef = Arc::new(DictionaryArray::new(keys, values));
    assert_eq!(hashes(&[Arc::clone(&column)])[1..], [null, null]);
    let empty: ArrayRef = Arc::new(DictionaryArray::new(Int8Array::new_null(2), texts([None::<&str>; 0])));
    assert_eq!(hashes(&[Arc::clone(&empty)]), [null, null]);
    assert_eq!(normalize_keys(&column).expect("fits").null_count(), 2);
    assert_eq!(normalize_keys(&empty).expect("fits").null_count(), 2);
}

#[test]
fn a_dictionary_of_dictionaries_is_its_texts() {
    let inner: ArrayRef =
        Arc::new(DictionaryArray::new(Int8Array::from(vec![Some(1), None, Some(0)]), texts([Some("a"), Some("b")])));
    let outer: ArrayRef = Arc::new(DictionaryArray::new(Int32Array::from(vec![2, 1, 0, 0]), inner));
    let plain = texts([Some("a"), None, Some("b"), Some("b")]);
    assert_eq!(hashes(&[Arc::clone(&outer)]), hashes(&[Arc::clone(&plain)]));
    assert_eq!(hashes(&[Arc::clone(&outer), Arc::clone(&plain)]), hashes(&[Arc::clone(&plain), Arc::clone(&plain)]));
    assert_eq!(&normalize_keys(&outer).expect("fits"), &plain);
}

#[test]
fn many_rows_of_a_long_text_are_hashed_in_parts() {
    let long = "x".repeat(100_000);
    let column: ArrayRef = Arc::new(DictionaryArray::new(Int32Array::from(vec![0; 700]), texts([Some(long)])));
    let number: ArrayRef = Arc::new(Int32Array::from_iter_values(0..700));
    let all = hashes(&[Arc::clone(&column), Arc::clone(&number)]);
    for row in [0, 1, 511, 512, 699] {
        assert_eq!(all[row], hashes(&[column.slice(row, 1), number.slice(row, 1)])[0]);
    }
}

#[test]
fn normal_columns_stay_the_same_arc() {
    let columns: [ArrayRef; 3] = [
        Arc::new(Int64Array::from(vec![1])),
        Arc::new(Float64Array::from(vec![0.0, 1.0])),
        cast(&texts([Some("a")]), &DataType::Utf8View).expect("texts"),
    ];
    for column in columns {
        assert!(Arc::ptr_eq(&normalize_keys(&column).expect("fits"), &column));
    }
}

/// Each key group gets its share of keys, within six standard deviations.
#[test]
fn key_groups_are_filled_evenly() {
    const KEYS: usize = 128 * 1024;
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..KEYS as i64));
    let columns: [ArrayRef; 4] = [
        Arc::clone(&numbers),
        Arc::new(Int32Array::from_iter_values((0..KEYS as i32).map(|n| n * 1000))),
        Arc::new(Float64Array::from_iter_values((0..KEYS).map(|n| n as f64 / 8.0))),
        texts((0..KEYS).map(|n| Some(format!("user-{n}")))),
    ];
    let share = KEYS as f64 / f64::from(KEY_GROUPS);
    for column in columns {
        let mut counts = [0_u32; KEY_GROUPS as usize];
        for hash in hashes(&[Arc::clone(&column)]) {
            counts[usize::from(KeyGroup::of_hash(hash).0)] += 1;
        }
        let off = counts.map(|count| (f64::from(count) - share).abs()).into_iter().fold(0.0, f64::max);
        assert!(off < 6.0 * share.sqrt(), "{}: a key group is off by {off} from {share}", column.data_type());
    }
}

/// Floats that are often the same key in other bits.
fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        Just(-0.0),
        any::<u64>().prop_map(|bits| f64::from_bits(bits | 0x7ff8 << 48)),
        any::<f64>(),
        -2.0..2.0
    ]
}

/// Texts, some of which are longer than a view holds inline.
fn text() -> impl Strategy<Value = Option<String>> {
    option::weighted(0.8, prop_oneof!["[a-c]{0,2}", ".{0,40}"])
}

proptest! {
    #[test]
    fn texts_are_the_same_keys_in_every_representation(values in vec(text(), 0..60), number: Option<i64>) {
        let plain = texts(values.iter().map(Option::as_ref));
        let number: ArrayRef = Arc::new(Int64Array::from_iter(vec![number; values.len()]));
        let alone = hashes(&[Arc::clone(&plain)]);
        let beside = hashes(&[Arc::clone(&number), Arc::clone(&plain)]);
        let dictionary = |key, value| DataType::Dictionary(Box::new(key), Box::new(value));
        for data_type in [
            DataType::LargeUtf8,
            DataType::Utf8View,
            DataType::Binary,
            DataType::LargeBinary,
            DataType::BinaryView,
            dictionary(DataType::Int32, DataType::Utf8),
            dictionary(DataType::UInt8, DataType::LargeUtf8),
        ] {
            let other = cast(&plain, &data_type).expect("texts");
            prop_assert_eq!(&hashes(&[Arc::clone(&other)]), &alone, "{}", &data_type);
            prop_assert_eq!(&hashes(&[Arc::clone(&number), Arc::clone(&other)]), &beside, "{}", &data_type);
            let normal = normalize_keys(&other).expect("fits");
            prop_assert_eq!(&hashes(&[Arc::clone(&normal)]), &alone, "{}", &data_type);
            prop_assert!(!matches!(normal.data_type(), DataType::Dictionary(_, _)));
        }
    }

    #[test]
    fn a_hash_depends_on_nothing_but_the_row(
        values in vec((text(), option::of(-3..3_i32)), 1..60),
        rows in vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let columns = [
            texts(values.iter().map(|(text, _)| text.as_ref())),
            Arc::new(values.iter().map(|(_, number)| *number).collect::<Int32Array>()) as ArrayRef,
        ];
        let all = hashes(&columns);
        let rows: Vec<_> = rows.iter().map(|row| row.index(values.len())).collect();
        let places = UInt32Array::from_iter_values(rows.iter().map(|row| *row as u32));
        let taken = columns.map(|column| take(&column, &places, None).expect("in bounds"));
        prop_assert_eq!(hashes(&taken), rows.iter().map(|row| all[*row]).collect::<Vec<_>>());
        for (a, left) in values.iter().enumerate() {
            for (b, right) in values.iter().enumerate() {
                prop_assert_eq!(all[a] == all[b], left == right, "{:?} and {:?}", left, right);
            }
        }
    }

    #[test]
    fn floats_are_normal_in_hash_and_value(values in vec(option::weighted(0.9, float()), 0..60)) {
        let column: ArrayRef = Arc::new(Float64Array::from_iter(values.iter().copied()));
        let normal = normalize_keys(&column).expect("fits");
        let all = hashes(&[Arc::clone(&column)]);
        prop_assert_eq!(&hashes(&[Arc::clone(&normal)]), &all);
        let bits: Vec<_> = normal.as_primitive::<Float64Type>().iter().map(|value| value.map(f64::to_bits)).collect();
        let same = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => a == b || a.is_nan() && b.is_nan(),
            (a, b) => a.is_none() && b.is_none(),
        };
        for a in 0..values.len() {
            for b in 0..values.len() {
                prop_assert_eq!(bits[a] == bits[b], same(values[a], values[b]));
                prop_assert_eq!(all[a] == all[b], bits[a] == bits[b]);
            }
        }
        let encoded = normalize_keys(&(Arc::new(dictionary_of(&column)) as ArrayRef)).expect("fits");
        prop_assert_eq!(&encoded, &normal);
    }
}

/// A dictionary in which every row has a value of its own.
fn dictionary_of(column: &ArrayRef) -> DictionaryArray<Int32Type> {
    DictionaryArray::new(Int32Array::from_iter_values(0..column.len() as i32), Arc::clone(column))
}
