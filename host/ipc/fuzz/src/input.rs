//! Inputs for the batch target: one byte for the schema, one for how the message lies, then the message.

use std::sync::{Arc, LazyLock};

use arrow::buffer::{Buffer, MutableBuffer};
use arrow::datatypes::{DataType, Field, Fields, IntervalUnit, Schema, SchemaRef, TimeUnit};
use arrow::ipc::root_as_message;

/// The longest input that is run; a longer one is cut.
pub const INPUT_BYTES_MAX: usize = 1 << 14;

/// Bytes before the message.
pub(crate) const CHOICE_BYTES: usize = 2;

/// In the second byte: how far the message lies from an address that suits every type.
const SHIFT_BITS: u8 = 0x0f;

/// In the second byte: the frame is made to fit what is in it, so that a change of length gets further than the first check.
const REPAIR_BIT: u8 = 0x10;

/// An input of the batch target.
///
/// # Panics
/// When there is no such schema, or `shift` is 16 or more.
#[must_use]
pub fn batch_input(schema: usize, shift: u8, message: &[u8]) -> Vec<u8> {
    assert!(schema < schemas().len() && shift <= SHIFT_BITS, "schema {schema}, shift {shift}");
    let mut input = vec![u8::try_from(schema).expect("there are fewer than 256"), shift];
    input.extend(message);
    input
}

/// The schema and the message of an input, or nothing where it is too short to choose.
pub(crate) fn read(input: &[u8]) -> Option<(&'static SchemaRef, Buffer)> {
    let ([schema, how], message) = input.split_first_chunk::<CHOICE_BYTES>()?;
    let message = &message[..message.len().min(INPUT_BYTES_MAX)];
    let mut lying = MutableBuffer::from_len_zeroed(usize::from(how & SHIFT_BITS));
    let shift = lying.len();
    if how & REPAIR_BIT == 0 {
        lying.extend_from_slice(message);
    } else {
        lying.extend_from_slice(&repaired(message));
    }
    Some((&schemas()[usize::from(*schema) % schemas().len()], Buffer::from(lying).slice(shift)))
}

/// The message with its marker, and with a body as long as its metadata says.
fn repaired(message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    let Some(prefix) = message.first_chunk_mut::<8>() else { return message };
    prefix[..4].fill(0xff);
    let metadata =
        usize::try_from(u32::from_le_bytes([prefix[4], prefix[5], prefix[6], prefix[7]])).unwrap_or_default();
    let body_offset = metadata.saturating_add(8);
    let body = message.get(8..body_offset).and_then(|metadata| root_as_message(metadata).ok());
    let body = body.and_then(|message| usize::try_from(message.bodyLength()).ok());
    if let Some(body) = body.filter(|body| *body <= INPUT_BYTES_MAX) {
        message.resize(body_offset + body, 0);
    }
    message
}

/// The schemas that inputs choose from. New ones go to the end: the corpus counts from the front.
pub fn schemas() -> &'static [SchemaRef] {
    static SCHEMAS: LazyLock<Vec<SchemaRef>> = LazyLock::new(|| {
        let mut schemas = vec![Arc::new(Schema::empty())];
        schemas.extend(plain_types().into_iter().map(|data_type| of([("a", data_type)])));
        schemas.extend(nested_types().into_iter().map(|data_type| of([("a", data_type)])));
        schemas.push(of([("a", DataType::Int64), ("b", DataType::Int64), ("c", DataType::Int64)]));
        schemas.push(of([("a", DataType::Int64), ("b", DataType::Utf8)]));
        schemas.push(of([("a", DataType::Boolean), ("b", list(DataType::Utf8)), ("c", DataType::Decimal128(38, 10))]));
        let required = vec![Field::new("a", DataType::Int32, false), Field::new("b", DataType::Utf8, false)];
        schemas.push(Arc::new(Schema::new(required)));
        schemas
    });
    &SCHEMAS
}

fn of<const N: usize>(columns: [(&str, DataType); N]) -> SchemaRef {
    let fields = columns.into_iter().map(|(name, data_type)| Field::new(name, data_type, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn plain_types() -> Vec<DataType> {
    use DataType::*;
    use TimeUnit::*;
    vec![
        Null,
        Boolean,
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float16,
        Float32,
        Float64,
        Decimal32(9, 2),
        Decimal64(18, -3),
        Decimal128(38, 10),
        Decimal256(76, 0),
        Date32,
        Date64,
        Time32(Second),
        Time64(Nanosecond),
        Timestamp(Millisecond, None),
        Timestamp(Microsecond, Some("Europe/Berlin".into())),
        Duration(Second),
        Interval(IntervalUnit::YearMonth),
        Interval(IntervalUnit::DayTime),
        Interval(IntervalUnit::MonthDayNano),
        Utf8,
        LargeUtf8,
        Binary,
        LargeBinary,
        FixedSizeBinary(3),
        FixedSizeBinary(1 << 20),
    ]
}

fn nested_types() -> Vec<DataType> {
    use DataType::*;
    let field = |name: &str, data_type, nullable| Arc::new(Field::new(name, data_type, nullable));
    let item = |data_type, nullable| field("item", data_type, nullable);
    let map = |values| {
        let pair = Fields::from(vec![field("key", Utf8, false), field("value", values, true)]);
        Map(field("entries", Struct(pair), false), false)
    };
    let pair = |nullable| Fields::from(vec![field("x", Int64, nullable), field("y", Utf8, true)]);
    vec![
        list(Int64),
        list(Utf8),
        list(Null),
        List(item(Int32, false)),
        LargeList(item(Utf8, true)),
        FixedSizeList(item(Float32, true), 2),
        FixedSizeList(item(Int16, false), 3),
        FixedSizeList(item(Null, true), 1 << 20),
        Struct(Fields::empty()),
        Struct(pair(true)),
        Struct(pair(false)),
        map(Int32),
        map(list(Boolean)),
        list(list(list(Int8))),
        list(Struct(Fields::from(vec![field("l", FixedSizeList(item(list(LargeBinary), true), 2), true)]))),
        Struct(Fields::from(vec![field("m", map(Struct(pair(true))), true), field("n", Null, true)])),
    ]
}

fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}
