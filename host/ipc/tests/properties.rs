//! The gate against stock arrow-ipc: whatever the stock writer writes, the gate reads as the stock reader does.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Schema};
use arrow::ipc::MetadataVersion;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use support::arbitrary::{batches, schemas, wire_batches};
use support::{frames, shifted};
use volley_ipc::{GateLimits, decode_batch, decode_schema, to_wire, wire_schema};

const LIMITS: GateLimits = GateLimits { bytes_max: 1 << 24, rows_max: 1 << 16, logical_bytes_max: 1 << 24 };

/// What the stock writer makes of one batch: a schema message, a batch message, the end.
fn stream(batch: &RecordBatch, alignment: usize) -> Vec<u8> {
    let options = IpcWriteOptions::try_new(alignment, false, MetadataVersion::V5).expect("good options");
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options).expect("to memory");
    writer.write(batch).expect("to memory");
    writer.into_inner().expect("to memory")
}

/// The text of each value: dictionaries, views and run ends look like what they stand for.
fn cells(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("∅").with_display_error(true);
    let column = |column: &dyn Array| {
        let formatter = ArrayFormatter::try_new(column, &options).expect("every type has a text");
        (0..column.len()).map(|row| formatter.value(row).to_string()).collect()
    };
    batch.columns().iter().map(|array| column(array.as_ref())).collect()
}

/// The names of all types of a schema, with their depth, and what is special about its batch.
fn names(batch: &RecordBatch) -> BTreeSet<String> {
    fn visit(data_type: &DataType, depth: usize, out: &mut BTreeSet<String>) {
        let text = format!("{data_type:?}");
        out.insert(text.split(['(', ' ', ',']).next().unwrap_or_default().to_owned());
        out.insert(format!("depth {depth}"));
        match data_type {
            DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) => {
                visit(item.data_type(), depth + 1, out);
            }
            DataType::LargeListView(item) | DataType::FixedSizeList(item, _) | DataType::Map(item, _) => {
                visit(item.data_type(), depth + 1, out);
            }
            DataType::Struct(fields) => fields.iter().for_each(|field| visit(field.data_type(), depth + 1, out)),
            _ => {}
        }
    }
    let mut out = BTreeSet::new();
    batch.schema().fields().iter().for_each(|field| visit(field.data_type(), 0, &mut out));
    out.insert(if batch.num_rows() == 0 { "no rows" } else { "rows" }.to_owned());
    out.insert(if batch.num_columns() == 0 { "no columns" } else { "columns" }.to_owned());
    out.extend(batch.columns().iter().filter(|column| column.null_count() > 0).map(|_| "nulls".to_owned()));
    out.extend(batch.columns().iter().filter(|column| column.to_data().offset() > 0).map(|_| "offset".to_owned()));
    out
}

#[test]
fn the_strategy_reaches_every_type() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..2000 {
        seen.extend(names(&batches().new_tree(&mut runner).expect("a batch").current()));
    }
    let all = "Null Boolean Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64 Float16 Float32 Float64 Utf8 LargeUtf8 \
        Utf8View Binary LargeBinary BinaryView FixedSizeBinary Decimal32 Decimal64 Decimal128 Decimal256 Date32 Date64 \
        Time32 Time64 Timestamp Interval Duration List LargeList ListView LargeListView FixedSizeList Struct Map \
        Dictionary RunEndEncoded nulls offset";
    let missing: Vec<&str> = all.split_whitespace().filter(|name| !seen.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?} of {seen:?}");
    assert!(["no rows", "no columns", "depth 3"].iter().all(|name| seen.contains(*name)), "{seen:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_gate_reads_what_the_stock_reader_reads(
        batch in wire_batches(),
        alignment in prop::sample::select(vec![8, 16, 32, 64]),
        shift in 0usize..16,
    ) {
        let stream = stream(&batch, alignment);
        let stock = StreamReader::try_new(stream.as_slice(), None).expect("own stream").next();
        let stock = stock.expect("one batch").expect("own batch");
        let frames = frames(&stream);
        let schema = Arc::new(decode_schema(frames[0]).expect("own schema"));
        prop_assert_eq!(&schema, &stock.schema());
        let got = decode_batch(&shifted(frames[1], shift), &schema, &LIMITS).expect("own message");
        prop_assert_eq!(&got, &stock);
        prop_assert_eq!(&got, &batch);
        for column in got.columns() {
            column.to_data().validate_full().expect("valid");
        }
    }

    #[test]
    fn the_wire_form_stands_for_the_same_values(batch in batches()) {
        let wire = Arc::new(wire_schema(&batch.schema()).expect("all types cross"));
        let sent = to_wire(&batch, &wire).expect("converts");
        prop_assert_eq!(cells(&sent), cells(&batch));
        for column in sent.columns() {
            column.to_data().validate_full().expect("valid");
        }
        prop_assert_eq!(wire_schema(&wire).expect("its own wire form"), wire.as_ref().clone());
    }

    #[test]
    fn the_gate_reads_the_schemas_of_the_stock_writer(schema in schemas()) {
        let wire = wire_schema(&schema).expect("all types cross");
        let none = RecordBatchOptions::new().with_row_count(Some(0));
        let stream = |schema: &Schema| {
            let columns = schema.fields().iter().map(|field| arrow::array::new_empty_array(field.data_type())).collect();
            let batch = RecordBatch::try_new_with_options(Arc::new(schema.clone()), columns, &none).expect("no rows");
            stream(&batch, 64)
        };
        prop_assert_eq!(decode_schema(frames(&stream(&wire))[0]).expect("own schema"), wire.clone());
        let host = decode_schema(frames(&stream(&schema))[0]);
        prop_assert_eq!(host.is_ok(), wire == schema, "only the wire form passes: {:?}", host);
    }
}
