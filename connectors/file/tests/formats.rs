//! Every format: what the sink writes the source reads, from every offset, and in batches of every size.

mod common;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array,
    Int32Array, Int64Array, Int64Builder, ListBuilder, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int32Type, SchemaRef};
use common::{names, options, read_all, read_split, source, write};
use proptest::prelude::*;
use serde_json::{Value, json};
use volley_api::{Replay, Source};
use volley_connector_file::type_text;

#[derive(Debug, Clone)]
struct Row {
    int: Option<i64>,
    float: Option<f64>,
    text: Option<String>,
    boolean: Option<bool>,
    days: Option<i32>,
    list: Option<Vec<Option<i64>>>,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    // Strings that CSV must quote and JSON must escape; empty ones are null in CSV.
    let text = prop_oneof![4 => "[a-z\",\n\r\t'\\\\ é😀]{1,8}", 1 => "[ -~]{1,20}"];
    let float = prop_oneof![any::<f64>().prop_filter("finite", |float| float.is_finite()), Just(0.5), Just(3.0)];
    let row = (
        prop::option::of(any::<i64>()),
        prop::option::of(float),
        prop::option::of(text),
        prop::option::of(any::<bool>()),
        prop::option::of(-100_000..100_000_i32),
        prop::option::of(prop::collection::vec(prop::option::of(any::<i64>()), 0..4)),
    );
    let row = row.prop_map(|(int, float, text, boolean, days, list)| Row { int, float, text, boolean, days, list });
    prop::collection::vec(row, 0..60)
}

fn column(rows: &[Row], name: &str) -> ArrayRef {
    let ints = || rows.iter().map(|row| row.int);
    match name {
        "int64" => Arc::new(Int64Array::from_iter(ints())),
        "int32" => Arc::new(Int32Array::from_iter(rows.iter().map(|row| row.days))),
        "uint64" => Arc::new(UInt64Array::from_iter(ints().map(|int| int.map(i64::cast_unsigned)))),
        "float64" => Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.float))),
        "float32" => Arc::new(Float32Array::from_iter(rows.iter().map(|row| row.days.map(|days| days as f32 / 8.0)))),
        "text" => Arc::new(StringArray::from_iter(rows.iter().map(|row| row.text.clone()))),
        "boolean" => Arc::new(BooleanArray::from_iter(rows.iter().map(|row| row.boolean))),
        "date" => Arc::new(Date32Array::from_iter(rows.iter().map(|row| row.days))),
        // Times between the years 1700 and 2240, which every format has.
        "millis" => {
            Arc::new(TimestampMillisecondArray::from_iter(ints().map(|int| int.map(|int| int % 8_000_000_000_000))))
        }
        "micros_utc" => {
            let micros = ints().map(|int| int.map(|int| int % 8_000_000_000_000_000));
            Arc::new(TimestampMicrosecondArray::from_iter(micros).with_timezone("UTC"))
        }
        "decimal" => {
            let cents = rows.iter().map(|row| row.days.map(i128::from));
            let cents: Decimal128Array = cents.collect();
            Arc::new(cents.with_precision_and_scale(10, 2).expect("fits"))
        }
        "binary" => {
            Arc::new(rows.iter().map(|row| row.text.as_ref().map(|text| text.as_bytes())).collect::<BinaryArray>())
        }
        "dictionary" => {
            let values = rows.iter().map(|row| row.text.as_deref());
            Arc::new(values.collect::<DictionaryArray<Int32Type>>())
        }
        "list" => {
            let mut builder = ListBuilder::new(Int64Builder::new());
            rows.iter().for_each(|row| builder.append_option(row.list.clone()));
            Arc::new(builder.finish())
        }
        "struct" => Arc::new(StructArray::from(vec![
            (Arc::new(Field::new("x", DataType::Int64, true)), column(rows, "int64")),
            (Arc::new(Field::new("y", DataType::Utf8, true)), column(rows, "text")),
        ])),
        other => panic!("no column {other}"),
    }
}

fn batch(rows: &[Row], columns: &[&str]) -> RecordBatch {
    let columns = columns.iter().map(|name| (*name, column(rows, name), true));
    RecordBatch::try_from_iter_with_nullable(columns).expect("one length")
}

/// The `schema` option that names the types of a batch.
fn declared(schema: &SchemaRef) -> Value {
    let entry = |field: &Arc<Field>| json!({ field.name(): type_text(field.data_type()) });
    schema.fields().iter().map(entry).collect()
}

const FLAT: [&str; 10] =
    ["int64", "uint64", "float64", "float32", "text", "boolean", "date", "millis", "micros_utc", "decimal"];
const NESTED: [&str; 14] = [
    "int64",
    "uint64",
    "float64",
    "float32",
    "text",
    "boolean",
    "date",
    "millis",
    "micros_utc",
    "decimal",
    "binary",
    "list",
    "struct",
    "int32",
];
const AVRO: [&str; 13] = [
    "int64",
    "int32",
    "float64",
    "float32",
    "text",
    "boolean",
    "date",
    "micros_utc",
    "decimal",
    "binary",
    "list",
    "struct",
    "millis",
];

struct Case {
    file: &'static str,
    columns: &'static [&'static str],
    declare: bool,
}

const CASES: [Case; 8] = [
    Case { file: "o.csv", columns: &FLAT, declare: true },
    Case { file: "o.csv.gz", columns: &FLAT, declare: true },
    Case { file: "o.tsv.zst", columns: &FLAT, declare: true },
    Case { file: "o.jsonl", columns: &NESTED, declare: true },
    Case { file: "o.jsonl.zst", columns: &NESTED, declare: true },
    Case { file: "o.parquet", columns: &NESTED, declare: false },
    Case { file: "o.avro", columns: &AVRO, declare: false },
    Case { file: "o.arrow", columns: &NESTED, declare: false },
];

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

async fn check(case: &Case, base: &Path, rows: &[Row], cut: usize, batch_rows: usize) {
    let expected = batch(rows, case.columns);
    let schema = expected.schema();
    let cut = cut.min(rows.len());
    let parts = [expected.slice(0, cut), expected.slice(cut, rows.len() - cut)];
    write(base, json!({ "path": case.file }), &schema, &parts).await.expect("written");
    let mut value = json!({ "path": case.file });
    if case.declare {
        value["schema"] = declared(&schema);
    }
    let source = source(base, value).unwrap_or_else(|error| panic!("{}: {}", case.file, error.report()));
    assert_eq!(source.replay(), Replay::Exact);
    let all = read_all(&source, batch_rows).await.unwrap_or_else(|error| panic!("{}: {}", case.file, error.report()));
    assert_eq!(all.rejects, [], "{}", case.file);
    assert_eq!(all.batch.num_rows(), rows.len(), "{}", case.file);
    for (at, column) in expected.columns().iter().enumerate() {
        assert_eq!(all.batch.column(at), column, "{} {}", case.file, case.columns[at]);
    }
    let split = &source.discover().await.expect("a split")[0];
    if all.batch.num_rows() > 0 && !case.file.ends_with("avro") {
        assert!(all.progress_units > 0 && all.progress_units <= split.size_units.expect("a file"), "{}", case.file);
    }
    for (before, _, offset) in &all.offsets {
        let rest = read_split(&source, split, Some(offset), 7).await.expect("resumed");
        assert_eq!(rest.batch, all.batch.slice(*before, rows.len() - before), "{} after {before}", case.file);
        assert_eq!(rest.positions, all.positions[*before..], "{} after {before}", case.file);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(rows in rows(), cut in 0..60_usize, batch_rows in 1..40_usize) {
        for case in &CASES {
            let folder = tempfile::tempdir().expect("a temporary folder");
            block_on(check(case, folder.path(), &rows, cut, batch_rows));
        }
    }
}

#[tokio::test]
async fn dictionaries_are_written_by_every_format() {
    let text = |at: usize| Some(format!("value {}", at % 3));
    let row = |at| Row { int: None, float: None, text: text(at), boolean: None, days: None, list: None };
    let rows: Vec<Row> = (0..10).map(row).collect();
    // Two batches with different dictionaries, which Arrow files cannot hold as they are.
    let parts = [batch(&rows[..1], &["dictionary"]), batch(&rows[1..], &["dictionary"])];
    for file in ["o.csv", "o.jsonl", "o.parquet", "o.avro", "o.arrow"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), json!({ "path": file }), &parts[0].schema(), &parts).await.expect(file);
        let source = source(folder.path(), json!({ "path": file })).expect(file);
        let all = read_all(&source, 4).await.expect(file);
        let values = cast(all.batch.column(0), &DataType::Utf8).expect("text");
        assert_eq!(&values, &column(&rows, "text"), "{file}");
    }
}

#[tokio::test]
async fn no_rows_make_a_valid_file_and_no_part() {
    let schema = batch(&[], &["int64", "text"]).schema();
    for file in ["o.csv", "o.jsonl", "o.parquet", "o.avro", "o.arrow", "o.csv.gz", "o.jsonl.zst"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), json!({ "path": file }), &schema, &[]).await.expect(file);
        assert_eq!(names(folder.path()), [file]);
        let source = source(folder.path(), json!({ "path": file, "schema": declared(&schema) })).expect(file);
        assert_eq!(read_all(&source, 10).await.expect(file).batch.num_rows(), 0);
        if file == "o.csv" {
            assert_eq!(std::fs::read_to_string(folder.path().join(file)).expect("text"), "int64,text\n");
        }
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), json!({ "path": "o/", "format": "parquet" }), &schema, &[]).await.expect("no part");
    assert_eq!(names(&folder.path().join("o")), [""; 0]);
}

#[tokio::test]
async fn big_files_read_the_same_in_batches_of_every_size() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut text = "id,name\n".to_owned();
    // More than several reads, with quoted line breaks, blank lines and bad records among the rows.
    for id in 0..40_000 {
        match id % 1_000 {
            7 => text.push_str(&format!("{id},\"two\nlines, {id}\"\n\n")),
            500 => text.push_str(&format!("{id},x,y\n")),
            501 => text.push_str("not a number,x\r\n"),
            _ => text.push_str(&format!("{id},name-{id}-{}\n", "x".repeat(id % 30))),
        }
    }
    std::fs::write(folder.path().join("t.csv"), &text).expect("a file");
    let value = json!({ "path": "t.csv", "schema": { "id": "int64", "name": "utf8" } });
    let source = source(folder.path(), value).expect("a source");
    let reference = read_all(&source, 8192).await.expect("rows");
    assert_eq!((reference.batch.num_rows(), reference.rejects.len()), (39_920, 80));
    assert_eq!(reference.rejects[0].position, 504);
    let line = text.lines().nth(503).expect("that line");
    assert_eq!(reference.rejects[0].raw, line);
    for rows in [3, 100, 1_000, 50_000] {
        let all = read_all(&source, rows).await.expect("rows");
        assert_eq!(all.batch, reference.batch);
        assert_eq!(all.positions, reference.positions);
        assert_eq!(all.rejects, reference.rejects);
    }
    let split = &source.discover().await.expect("a split")[0];
    for (rows, rejects, offset) in &reference.offsets {
        let rest = read_split(&source, split, Some(offset), 5_000).await.expect("resumed");
        assert_eq!(rest.batch, reference.batch.slice(*rows, 39_920 - rows));
        assert_eq!(rest.rejects, reference.rejects[*rejects..]);
        assert_eq!(rest.positions, reference.positions[*rows..]);
    }
}

#[tokio::test]
async fn very_long_records_end_a_batch_early() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let long = "x".repeat(3 << 20);
    let csv: String = (0..12).map(|id| format!("{id},{long}\n")).collect();
    std::fs::write(folder.path().join("t.csv"), format!("id,text\n{csv}")).expect("a file");
    let json: String = (0..12).map(|id| format!("{{\"id\":{id},\"text\":\"{long}\"}}\n")).collect();
    std::fs::write(folder.path().join("t.jsonl"), json).expect("a file");
    for file in ["t.csv", "t.jsonl"] {
        let source = source(folder.path(), json!({ "path": file })).expect("a source");
        let all = read_all(&source, 8192).await.expect("rows");
        assert_eq!(all.batch.num_rows(), 12, "{file}");
        assert!(all.offsets.len() > 4, "{file}: several batches, so that memory stays bounded");
        assert_eq!(all.rejects, [], "{file}");
    }
}

#[tokio::test]
async fn globs_and_folders_are_a_split_per_file_with_columns_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("f-1.csv"), "a,b\n1,x\n").expect("a file");
    std::fs::write(folder.path().join("f-2.csv"), "b,a\ny,2.5\n").expect("a file");
    for path in ["f-*.csv", "./", "f-?.csv"] {
        let source = source(folder.path(), json!({ "path": path })).expect("a source");
        // The second file widens the type that the first one shows.
        assert_eq!(type_text(source.schema().field(0).data_type()), "float64");
        let splits = source.discover().await.expect("splits");
        assert_eq!(splits.iter().map(|split| split.id.as_str()).collect::<Vec<_>>(), ["f-1.csv", "f-2.csv"]);
        assert_eq!(splits[0].size_units, Some(8));
        let all = read_all(&source, 10).await.expect("rows");
        assert_eq!(all.batch.column(0).as_ref(), &Float64Array::from(vec![1.0, 2.5]) as &dyn arrow::array::Array);
        assert_eq!(all.positions, [2, 2]);
    }
}

#[tokio::test]
async fn declared_columns_are_the_ones_that_are_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ints = |values: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(values)) };
    let batch = RecordBatch::try_from_iter([("a", ints(vec![1, 2])), ("b", ints(vec![3, 4])), ("c", ints(vec![5, 6]))]);
    let batch = batch.expect("a batch");
    for file in ["o.csv", "o.jsonl", "o.parquet", "o.avro", "o.arrow"] {
        write(folder.path(), json!({ "path": file }), &batch.schema(), std::slice::from_ref(&batch)).await.expect(file);
        let value = json!({ "path": file, "schema": [{ "c": "int64" }, { "a": "int64" }] });
        let source = source(folder.path(), value).expect(file);
        let all = read_all(&source, 10).await.expect(file);
        assert_eq!(all.batch.columns(), [batch.column(2).clone(), batch.column(0).clone()], "{file}");
    }
}

#[tokio::test]
async fn csv_without_header_and_with_its_own_signs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("t.csv"), "1;'a;b';NA\n2;NA;'it''s'\n").expect("a file");
    let csv = json!({ "delimiter": ";", "quote": "'", "header": false, "null_values": ["NA"] });
    let source = source(folder.path(), json!({ "path": "t.csv", "csv": csv })).expect("a source");
    let all = read_all(&source, 10).await.expect("rows");
    assert_eq!(all.batch.schema().field(2).name(), "column_3");
    let text = |at: usize, values: Vec<Option<&str>>| {
        assert_eq!(all.batch.column(at).to_data(), StringArray::from(values).into())
    };
    text(1, vec![Some("a;b"), None]);
    text(2, vec![None, Some("it's")]);
    assert_eq!(all.positions, [1, 2]);
}

#[test]
fn options_of_both_sides_are_read_from_yaml_like_values() {
    let sink: volley_connector_file::FileSinkOptions = options(json!({ "path": "dead/", "format": "jsonl" }));
    assert_eq!(sink.path, "dead/");
}

#[tokio::test]
async fn times_with_a_zone_keep_it() {
    let base = tempfile::tempdir().expect("a temporary folder");
    let text = "at\n2013-01-01T10:00:00Z\n\"\"\n2013-01-01T10:00:00+01:00\n";
    std::fs::write(base.path().join("t.csv"), text).expect("a file");
    let all = read_all(&source(base.path(), json!({ "path": "t.csv" })).expect("a source"), 10).await.expect("rows");
    assert_eq!(type_text(all.batch.schema().field(0).data_type()), "timestamp(s, UTC)");
    assert_eq!(all.rejects, []);
    let schema = all.batch.schema();
    for (name, expected) in [
        ("o.csv", Some("at\n2013-01-01T10:00:00Z\n\"\"\n2013-01-01T09:00:00Z\n")),
        ("o.jsonl", Some("{\"at\":\"2013-01-01T10:00:00Z\"}\n{\"at\":null}\n{\"at\":\"2013-01-01T09:00:00Z\"}\n")),
        ("o.parquet", None),
        ("o.avro", None),
        ("o.arrow", None),
    ] {
        write(base.path(), json!({ "path": name }), &schema, std::slice::from_ref(&all.batch)).await.expect(name);
        if let Some(expected) = expected {
            assert_eq!(std::fs::read_to_string(base.path().join(name)).expect("text"), expected);
        } else {
            let again = source(base.path(), json!({ "path": name })).expect(name);
            let found = type_text(again.schema().field(0).data_type());
            assert!(found.starts_with("timestamp(") && found.ends_with(", UTC)"), "{name}: {found}");
            assert_eq!(read_all(&again, 10).await.expect(name).batch.num_rows(), 3);
        }
    }
}
