//! Our messages read by arrow-rs, and arrow-rs's by us: for every type, with nulls, sliced, without rows or columns.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, FixedSizeBinaryArray, Float64Array, Int64Array, LargeStringArray, ListArray,
    RecordBatch as ArrowBatch, RecordBatchOptions, StringArray, StructArray,
};
use arrow_buffer::Buffer as ArrowBuffer;
use arrow_ipc::MetadataVersion;
use arrow_ipc::reader::read_record_batch;
use arrow_ipc::writer::{CompressionContext, DictionaryTracker, IpcDataGenerator, IpcWriteOptions, write_message};
use arrow_schema::{
    DataType as ArrowType, Field as ArrowField, IntervalUnit, Schema as ArrowSchema, SchemaRef, TimeUnit,
};
use proptest::prelude::*;

use super::{Frame, Message, Template, places, read_schema, split, write_schema};
use crate::buffer::Buffer;
use crate::gather::gather;
use crate::{Array, Batch, DataType, Schema};

fn options() -> IpcWriteOptions {
    IpcWriteOptions::try_new(64, false, MetadataVersion::V5).unwrap()
}

fn schema_by_arrow(schema: &ArrowSchema) -> Vec<u8> {
    let mut tracker = DictionaryTracker::new(false);
    let encoded = IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(schema, &mut tracker, &options());
    let mut message = Vec::new();
    write_message(&mut message, encoded, &options()).unwrap();
    message
}

pub(crate) fn batch_by_arrow(batch: &ArrowBatch) -> Buffer {
    let (mut tracker, mut compression) = (DictionaryTracker::new(false), CompressionContext::default());
    let (_, encoded) = IpcDataGenerator::default().encode(batch, &mut tracker, &options(), &mut compression).unwrap();
    let mut message = Vec::new();
    write_message(&mut message, encoded, &options()).unwrap();
    let mut aligned = Buffer::new();
    aligned.extend(&message);
    aligned
}

/// arrow-rs reads a schema and a batch that we wrote.
fn read_by_arrow(schema: &[u8], batch: &[u8]) -> ArrowBatch {
    let header = arrow_ipc::root_as_message(split(schema).unwrap().0).unwrap();
    let schema: SchemaRef = Arc::new(arrow_ipc::convert::fb_to_schema(header.header_as_schema().unwrap()));
    let (metadata, body) = split(batch).unwrap();
    let header = arrow_ipc::root_as_message(metadata).unwrap();
    assert_eq!(header.bodyLength() as usize, body.len());
    let batch = header.header_as_record_batch().unwrap();
    let body = ArrowBuffer::from(body.to_vec());
    read_record_batch(&body, batch, schema, &HashMap::new(), None, &header.version()).unwrap()
}

/// We read a batch, and write rows `start ..` of it as it lies there.
fn rewritten(schema: &Schema, message: &Buffer, start: usize) -> Buffer {
    let places = places(schema).unwrap();
    let frame = Frame::open(message.bytes(), schema, &places).unwrap();
    let batch = Batch::of_message(schema, &frame, &places);
    let template = Template::new(*places.last().unwrap());
    let mut out = Buffer::new();
    let mut written = Message::begin(&mut out, &template, batch.len() - start);
    batch.columns().for_each(|column| written.column(column.slice(start, batch.len() - start)));
    written.finish();
    out
}

/// Every row of a batch, one by one, in columns of our own.
fn picked(schema: &Schema, message: &Buffer) -> Vec<Array> {
    let places = places(schema).unwrap();
    let frame = Frame::open(message.bytes(), schema, &places).unwrap();
    let rows: Vec<(usize, usize)> = (0..frame.rows).map(|row| (0, row)).collect();
    let batch = Batch::of_message(schema, &frame, &places);
    batch.columns().map(|column| gather(column.data_type(), &[column], &rows)).collect()
}

fn written(schema: &Schema, columns: &[Array], rows: usize) -> Buffer {
    let template = Template::new(*places(schema).unwrap().last().unwrap());
    let mut out = Buffer::new();
    let mut message = Message::begin(&mut out, &template, rows);
    columns.iter().for_each(|column| message.column(column.column("")));
    message.finish();
    out
}

/// There and back: whole, sliced, and copied row by row.
fn check(batch: &ArrowBatch, start: usize) {
    let schema = read_schema(&schema_by_arrow(&batch.schema())).unwrap();
    let schema_message = write_schema(&schema).unwrap();
    assert_eq!(read_schema(&schema_message).unwrap(), schema);
    let message = batch_by_arrow(batch);
    assert_eq!(&read_by_arrow(&schema_message, rewritten(&schema, &message, 0).bytes()), batch);
    let start = start.min(batch.num_rows());
    let tail = batch.slice(start, batch.num_rows() - start);
    assert_eq!(read_by_arrow(&schema_message, rewritten(&schema, &message, start).bytes()), tail);
    let columns = picked(&schema, &message);
    assert_eq!(&read_by_arrow(&schema_message, written(&schema, &columns, batch.num_rows()).bytes()), batch);
}

pub(crate) type Rows<T> = Vec<Option<T>>;

/// Columns of all kinds of layout over the same rows.
pub(crate) fn columns(numbers: &Rows<i64>, texts: &Rows<String>) -> Vec<(ArrowField, ArrayRef)> {
    use arrow_array::PrimitiveArray;
    use arrow_array::types::{
        Date32Type, Date64Type, Decimal128Type, Decimal256Type, DurationMillisecondType, Float16Type, Float32Type,
        Int8Type, Int16Type, Int32Type, IntervalDayTimeType, IntervalMonthDayNanoType, IntervalYearMonthType,
        Time32SecondType, Time64NanosecondType, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type,
        UInt64Type,
    };
    let mut columns: Vec<(ArrowField, ArrayRef)> = Vec::new();
    let mut add = |array: ArrayRef| {
        let field = ArrowField::new(format!("c{}", columns.len()), array.data_type().clone(), true);
        columns.push((field, array));
    };
    macro_rules! fixed {
        ($($of:ty => $convert:expr;)*) => {$(
            add(Arc::new(numbers.iter().map(|n| n.map($convert)).collect::<PrimitiveArray<$of>>()));
        )*};
    }
    fixed! {
        Int8Type => |n| n as i8;
        Int16Type => |n| n as i16;
        Int32Type => |n| n as i32;
        UInt8Type => |n| n as u8;
        UInt16Type => |n| n as u16;
        UInt32Type => |n| n as u32;
        UInt64Type => |n| n as u64;
        Float32Type => |n| n as f32;
        Date32Type => |n| n as i32;
        Date64Type => |n| n;
        Time32SecondType => |n| n as i32;
        Time64NanosecondType => |n| n;
        DurationMillisecondType => |n| n;
        IntervalYearMonthType => |n| n as i32;
        IntervalDayTimeType => |n| arrow_buffer::IntervalDayTime::new(n as i32, (n >> 32) as i32);
        IntervalMonthDayNanoType => |n| arrow_buffer::IntervalMonthDayNano::new(n as i32, 7, n);
        Float16Type => |n| <Float16Type as arrow_array::ArrowPrimitiveType>::Native::from_f32(n as f32);
        Decimal128Type => i128::from;
        Decimal256Type => arrow_buffer::i256::from;
    }
    add(Arc::new(numbers.iter().copied().collect::<PrimitiveArray<TimestampMicrosecondType>>().with_timezone("UTC")));
    add(Arc::new(numbers.iter().copied().collect::<Int64Array>()));
    add(Arc::new(numbers.iter().map(|n| n.map(|n| n as f64)).collect::<Float64Array>()));
    add(Arc::new(numbers.iter().map(|n| n.map(|n| n % 2 == 0)).collect::<BooleanArray>()));
    add(Arc::new(texts.iter().map(Option::as_deref).collect::<StringArray>()));
    add(Arc::new(texts.iter().map(Option::as_deref).collect::<LargeStringArray>()));
    let bytes = |text: &Option<String>| text.as_ref().map(|text| text.as_bytes().to_vec());
    add(Arc::new(texts.iter().map(bytes).collect::<arrow_array::BinaryArray>()));
    add(Arc::new(texts.iter().map(bytes).collect::<arrow_array::LargeBinaryArray>()));
    let three = numbers.iter().map(|n| n.map(|n| n.to_le_bytes()[..3].to_vec()));
    add(Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(three, 3).unwrap()));
    let items = |n: i64| (0..n.rem_euclid(4)).map(|at| (at != 1).then_some(n + at)).collect::<Vec<_>>();
    let lists = || numbers.iter().map(|n| n.map(items));
    add(Arc::new(ListArray::from_iter_primitive::<arrow_array::types::Int64Type, _, _>(lists())));
    add(Arc::new(arrow_array::LargeListArray::from_iter_primitive::<arrow_array::types::Int64Type, _, _>(lists())));
    let pairs = numbers.iter().map(|n| n.map(|n| vec![Some(n), None]));
    add(Arc::new(arrow_array::FixedSizeListArray::from_iter_primitive::<arrow_array::types::Int64Type, _, _>(
        pairs, 2,
    )));
    add(Arc::new(arrow_array::NullArray::new(numbers.len())));
    if !numbers.is_empty() {
        let inner: ArrayRef = columns[columns.len() - 4].1.clone();
        let texts: ArrayRef = Arc::new(texts.iter().map(Option::as_deref).collect::<StringArray>());
        let fields =
            vec![ArrowField::new("l", inner.data_type().clone(), true), ArrowField::new("t", ArrowType::Utf8, true)];
        let nulls = numbers.iter().map(Option::is_some).collect::<Vec<bool>>().into();
        let structs: ArrayRef = Arc::new(StructArray::new(fields.into(), vec![inner, texts], Some(nulls)));
        columns.push((ArrowField::new("s", structs.data_type().clone(), true), structs));
    }
    columns
}

pub(crate) fn batch_of(columns: Vec<(ArrowField, ArrayRef)>, rows: usize) -> ArrowBatch {
    let (fields, arrays): (Vec<ArrowField>, Vec<ArrayRef>) = columns.into_iter().unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    ArrowBatch::try_new_with_options(Arc::new(ArrowSchema::new(fields)), arrays, &options).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn batches_go_there_and_back(
        rows in prop::collection::vec((prop::option::of(-1_000_000_i64..1_000_000), prop::option::of(".{0,6}")), 0..70),
        start in 0_usize..20,
        full: bool,
    ) {
        // Columns without nulls take other paths than columns with some.
        let number = |n: Option<i64>| if full { Some(n.unwrap_or(7)) } else { n };
        let numbers: Rows<i64> = rows.iter().map(|row| number(row.0)).collect();
        let texts: Rows<String> = rows.iter().map(|row| if full { Some(row.1.clone().unwrap_or_default()) } else { row.1.clone() }).collect();
        check(&batch_of(columns(&numbers, &texts), rows.len()), start);
    }

    #[test]
    fn values_are_those_that_were_built(values in prop::collection::vec(prop::option::of(any::<i64>()), 0..70)) {
        use crate::build::Builder as _;
        let mut builder = crate::build::Int64Builder::new();
        values.iter().for_each(|value| builder.push_option(*value));
        let schema = Schema::from([("n", DataType::Int64)]);
        let message = written(&schema, &[builder.finish()], values.len());
        let read = read_by_arrow(&write_schema(&schema).unwrap(), message.bytes());
        prop_assert_eq!(read.column(0).as_ref(), &values.into_iter().collect::<Int64Array>() as &dyn arrow_array::Array);
    }

    #[test]
    fn broken_messages_are_errors(cut in 0_usize..4096, at in 0_usize..512, byte: u8) {
        let numbers: Rows<i64> = (0..9).map(|n| (n != 3).then_some(n)).collect();
        let texts: Rows<String> = numbers.iter().map(|n| n.map(|n| n.to_string())).collect();
        let batch = batch_of(columns(&numbers, &texts), numbers.len());
        let schema = read_schema(&schema_by_arrow(&batch.schema())).unwrap();
        let places = places(&schema).unwrap();
        let whole = batch_by_arrow(&batch);
        let cut = cut % whole.len();
        let mut short = Buffer::new();
        short.extend(&whole.bytes()[..cut]);
        // The body's last padding may be missing without harm.
        if cut + 64 < whole.len() {
            prop_assert!(Frame::open(short.bytes(), &schema, &places).is_err());
        }
        // A wrong byte is an error or another batch, never a crash.
        let mut wrong = whole.clone();
        wrong.bytes_mut()[at] = byte;
        let _ = Frame::open(wrong.bytes(), &schema, &places);
        let mut message = schema_by_arrow(&batch.schema());
        let at = at % message.len();
        message[at] = byte;
        let _ = read_schema(&message);
    }
}

#[test]
fn a_batch_without_columns_keeps_its_rows() {
    check(&batch_of(Vec::new(), 7), 3);
}

#[test]
fn schemas_are_read_as_they_cross() {
    let dictionary = ArrowType::Dictionary(Box::new(ArrowType::Int8), Box::new(ArrowType::Utf8));
    let entry = ArrowField::new_struct(
        "entries",
        vec![ArrowField::new("keys", ArrowType::Utf8, false), ArrowField::new("values", ArrowType::Int32, true)],
        false,
    );
    let schema = ArrowSchema::new(vec![
        ArrowField::new("d", dictionary, true),
        ArrowField::new("v", ArrowType::BinaryView, false),
        ArrowField::new("m", ArrowType::Map(Arc::new(entry), false), true),
        ArrowField::new("t", ArrowType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), true),
        ArrowField::new("i", ArrowType::Interval(IntervalUnit::DayTime), true),
        ArrowField::new("r", ArrowType::Decimal64(9, 2), true),
    ]);
    let read = read_schema(&schema_by_arrow(&schema)).unwrap();
    let types: Vec<String> = read.fields().iter().map(|field| field.data_type.to_string()).collect();
    let wanted = [
        "Utf8",
        "Binary",
        "Map(Struct(keys: Utf8, values: Int32))",
        "Timestamp(ns, \"UTC\")",
        "Interval(DayTime)",
        "Decimal64(9, 2)",
    ];
    assert_eq!(types, wanted);
    assert!(!read.fields()[1].nullable);
    assert!(write_schema(&read).unwrap_err().to_string().contains("Decimal64"));
}
