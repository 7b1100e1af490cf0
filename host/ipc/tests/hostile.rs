//! What the gate refuses. What mutations find is in the fuzz crate beside this one.

mod support;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, NullArray, RecordBatch, StringArray};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::writer::{
    CompressionContext, DictionaryTracker, IpcDataGenerator, IpcWriteOptions, StreamWriter, write_message,
};
use proptest::prelude::*;
use volley_ipc::{
    Error, FIELD_METADATA_BYTES_MAX, FIELD_NAME_BYTES_MAX, FIELDS_MAX, GateLimits, ROW_BYTES_MAX, decode_batch,
    decode_schema, encode_batch, encode_schema, to_wire, wire_schema,
};

const LIMITS: GateLimits = GateLimits { bytes_max: 1 << 24, rows_max: 1 << 16, logical_bytes_max: 1 << 20 };

fn message(rows: usize, seed: u64) -> (Vec<u8>, SchemaRef) {
    let batch = support::batch(rows, seed);
    let wire = Arc::new(wire_schema(&batch.schema()).expect("all types cross"));
    (encode_batch(&to_wire(&batch, &wire).expect("converts")).expect("encodes"), wire)
}

fn two_columns() -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
    let words: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("b"), None]));
    RecordBatch::try_from_iter([("n", numbers), ("w", words)]).expect("one length")
}

fn decode(bytes: &[u8], schema: &SchemaRef) -> Result<RecordBatch, Error> {
    decode_batch(&Buffer::from(bytes.to_vec()), schema, &LIMITS)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn noise_never_passes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let schema = two_columns().schema();
        prop_assert!(decode(&bytes, &schema).is_err());
        prop_assert!(decode_schema(&bytes).is_err());
        let mut framed = vec![0xff, 0xff, 0xff, 0xff];
        framed.extend(u32::try_from(bytes.len()).expect("short").to_le_bytes());
        framed.extend(&bytes);
        prop_assert!(decode(&framed, &schema).is_err());
        prop_assert!(decode_schema(&framed).is_err());
    }
}

#[test]
fn every_truncation_is_refused() {
    let (bytes, schema) = message(9, 4);
    for end in 0..bytes.len() {
        assert!(decode(&bytes[..end], &schema).is_err(), "{end} bytes");
    }
}

#[test]
fn caps_are_kept() {
    let batch = two_columns();
    let bytes = encode_batch(&batch).expect("encodes");
    let with = |limits| decode_batch(&Buffer::from(bytes.clone()), &batch.schema(), &limits);
    assert!(with(LIMITS).is_ok());
    assert!(matches!(with(GateLimits { bytes_max: 100, ..LIMITS }), Err(Error::TooManyBytes { limit: 100, .. })));
    assert!(matches!(with(GateLimits { rows_max: 2, ..LIMITS }), Err(Error::TooManyRows { rows: 3, limit: 2 })));
    let logical = GateLimits { logical_bytes_max: 10, ..LIMITS };
    assert!(matches!(with(logical), Err(Error::TooManyLogicalBytes { limit: 10, .. })));
}

#[test]
fn rows_that_take_no_bytes_still_count() {
    let nothing: ArrayRef = Arc::new(NullArray::new(60_000));
    let batch = RecordBatch::try_from_iter([("n", nothing)]).expect("one column");
    let bytes = Buffer::from(encode_batch(&batch).expect("encodes"));
    let limits = GateLimits { logical_bytes_max: 10_000, ..LIMITS };
    assert!(matches!(decode_batch(&bytes, &batch.schema(), &limits), Err(Error::TooManyLogicalBytes { .. })));
}

#[test]
fn another_schema_is_refused() {
    let bytes = encode_batch(&two_columns()).expect("encodes");
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    let others = [
        vec![field("n", DataType::Int64)],
        vec![field("n", DataType::Int64), field("w", DataType::Utf8), field("x", DataType::Int8)],
        vec![field("n", DataType::Utf8), field("w", DataType::Int64)],
        vec![field("n", DataType::Decimal256(40, 0)), field("w", DataType::Utf8)],
        vec![Field::new("n", DataType::Int64, false), field("w", DataType::Utf8)],
        vec![],
    ];
    for fields in others {
        let schema = Arc::new(Schema::new(fields));
        assert!(decode(&bytes, &schema).is_err(), "{schema:?}");
    }
}

#[test]
fn other_messages_are_refused_by_name() {
    let batch = two_columns();
    let schema = encode_schema(&batch.schema()).expect("encodes");
    let error = decode(&schema, &batch.schema()).expect_err("a schema is no batch").to_string();
    assert!(error.contains("Schema"), "{error}");
    assert!(decode_schema(&encode_batch(&batch).expect("encodes")).is_err());
    let mut stream = StreamWriter::try_new(Vec::new(), &batch.schema()).expect("to memory");
    stream.write(&batch).expect("to memory");
    let stream = stream.into_inner().expect("to memory");
    assert!(decode(&stream, &batch.schema()).is_err(), "a whole stream is no message");
}

#[test]
fn dictionary_columns_are_refused_in_schemas() {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let schema = Schema::new(vec![Field::new("d", dictionary, true)]);
    let error = decode_schema(&encode_schema(&schema).expect("encodes")).expect_err("never crosses").to_string();
    assert!(error.contains("`d`") && error.contains("dictionaries"), "{error}");
}

#[test]
fn views_and_two_columns_of_one_name_are_refused_in_schemas() {
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    let views = Schema::new(vec![field("v", DataType::Utf8View)]);
    assert!(decode_schema(&encode_schema(&views).expect("encodes")).is_err());
    let twice = Schema::new(vec![field("a", DataType::Int8), field("a", DataType::Int8)]);
    assert!(decode_schema(&encode_schema(&twice).expect("encodes")).is_err());
}

#[test]
fn view_batches_are_refused() {
    let words: ArrayRef = Arc::new(arrow::array::StringViewArray::from(vec!["a", "b"]));
    let batch = RecordBatch::try_from_iter([("w", words)]).expect("one column");
    let options = IpcWriteOptions::default();
    let mut tracker = DictionaryTracker::new(true);
    let mut context = CompressionContext::default();
    let (_, encoded) =
        IpcDataGenerator::default().encode(&batch, &mut tracker, &options, &mut context).expect("encodes");
    let mut bytes = Vec::new();
    write_message(&mut bytes, encoded, &options).expect("to memory");
    assert!(decode(&bytes, &batch.schema()).is_err());
}

#[test]
fn maps_whose_entries_or_keys_can_be_null_are_refused_in_schemas() {
    let map = |entries_nullable, key_nullable| {
        let pair = vec![Field::new("key", DataType::Int8, key_nullable), Field::new("value", DataType::Int8, true)];
        let entries = Field::new("entries", DataType::Struct(pair.into()), entries_nullable);
        let schema = Schema::new(vec![Field::new("m", DataType::Map(Arc::new(entries), false), true)]);
        decode_schema(&encode_schema(&schema).expect("encodes"))
    };
    assert!(map(false, false).is_ok());
    for (entries, key) in [(true, false), (false, true)] {
        let error = map(entries, key).expect_err("Arrow makes no such map").to_string();
        assert!(error.contains("`m`") && error.contains("never null"), "{error}");
    }
}

#[test]
fn schemas_whose_rows_are_huge_are_refused() {
    let list = |item, size| DataType::FixedSizeList(Arc::new(Field::new("item", item, true)), size);
    let decode = |data_type| decode_schema(&encode_schema(&Schema::new(vec![Field::new("a", data_type, true)]))?);
    let bytes = i32::try_from(ROW_BYTES_MAX).expect("fits");
    assert!(decode(list(DataType::Int8, bytes)).is_ok() && decode(DataType::FixedSizeBinary(bytes)).is_ok());
    for data_type in [
        list(DataType::Int16, bytes),
        list(DataType::Null, i32::MAX),
        list(list(list(DataType::Utf8, 1 << 20), 1 << 20), i32::MAX),
        list(DataType::Struct(vec![Field::new("x", DataType::Int8, true)].into()), bytes),
        DataType::FixedSizeBinary(i32::MAX),
    ] {
        let error = decode(data_type).expect_err("a row of nulls would fill the host").to_string();
        assert!(error.contains("each row takes"), "{error}");
    }
}

#[test]
fn schemas_have_one_budget_for_fields_names_and_metadata() {
    let leaf = |name: &str| Field::new(name, DataType::Int8, true);
    let wide = |children: usize| {
        let children: Vec<Field> = (0..children).map(|child| leaf(&child.to_string())).collect();
        Schema::new(vec![Field::new("s", DataType::Struct(children.into()), true)])
    };
    let noted = |bytes: usize| {
        let field = |name: &str| leaf(name).with_metadata([("k".to_owned(), "v".repeat(bytes / 2 - 1))].into());
        Schema::new(vec![field("a"), field("b")])
    };
    let named = |bytes: usize| Schema::new(vec![leaf(&"n".repeat(bytes))]);
    for (good, bad, problem) in [
        (wide(FIELDS_MAX - 1), wide(FIELDS_MAX), "fields with children counted"),
        (noted(FIELD_METADATA_BYTES_MAX), noted(FIELD_METADATA_BYTES_MAX + 2), "bytes of metadata"),
        (named(FIELD_NAME_BYTES_MAX), named(FIELD_NAME_BYTES_MAX + 1), "a name has 257 bytes"),
    ] {
        assert_eq!(decode_schema(&encode_schema(&good).expect("encodes")).expect("within the budget"), good);
        let error = decode_schema(&encode_schema(&bad).expect("encodes")).expect_err("beyond it").to_string();
        assert!(error.contains(problem), "{error}");
    }
}
