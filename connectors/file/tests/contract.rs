//! The suites that every connector runs against itself, over every format that files can have.

mod common;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use common::{options, read_all, source};
use serde_json::json;
use volley_connector_file::FileSink;
use volley_test_contract::{
    assert_sink_documented, assert_source_documented, single_epoch_sink_contract, sink_contract,
    sink_recovery_contract, source_contract,
};

const FORMATS: [&str; 5] = ["csv", "jsonl", "parquet", "avro", "arrow"];

/// Rows without two alike, whose types every format keeps.
fn sample() -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..20));
    let halves: ArrayRef = Arc::new(Float64Array::from_iter((0..20).map(|x| (x % 3 > 0).then(|| f64::from(x) + 0.5))));
    let words: ArrayRef = Arc::new(StringArray::from_iter_values((0..20).map(|x| format!("word, \"{x}\""))));
    RecordBatch::try_from_iter_with_nullable([("number", numbers, true), ("half", halves, true), ("word", words, true)])
        .expect("columns of one length")
}

/// What another process would find under `path`, hidden files left aside.
fn found(base: &Path, path: &str, format: &str) -> Vec<RecordBatch> {
    let visible = |entry: std::io::Result<std::fs::DirEntry>| {
        !entry.expect("an entry").file_name().to_string_lossy().starts_with('.')
    };
    let folder = base.join(path);
    if folder.is_dir() && !std::fs::read_dir(&folder).expect("a folder").any(visible) || !folder.exists() {
        return Vec::new();
    }
    let types = json!({ "number": "int64", "half": "double", "word": "utf8" });
    let source = source(base, json!({ "path": path, "format": format, "schema": types })).expect("opens");
    // The suites call this from inside a runtime, which must not wait for itself.
    let all = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(read_all(&source, 1000)).expect("reads").batch
    });
    vec![all.join().expect("no panic")]
}

#[tokio::test]
async fn folders_keep_the_promises_of_a_sink_and_their_files_those_of_a_source() {
    for format in FORMATS {
        let folder = tempfile::tempdir().expect("a folder");
        let sink = FileSink::new(options(json!({ "path": "out/", "format": format })), folder.path()).expect("a sink");
        sink_contract(&sink, &sample(), || found(folder.path(), "out/", format)).await;
        let written = source(folder.path(), json!({ "path": "out/", "format": format })).expect("opens");
        source_contract(&written).await;
    }
}

#[tokio::test]
async fn folders_keep_the_promises_of_a_sink_whose_process_is_killed() {
    for format in FORMATS {
        for (existing, rows_max) in [("fail", None), ("append", Some(1))] {
            let folder = tempfile::tempdir().expect("a folder");
            let value = json!({ "path": "out/", "format": format, "existing": existing, "part_rows_max": rows_max });
            let make = || FileSink::new(options(value.clone()), folder.path()).expect("a sink");
            sink_recovery_contract(make, &sample(), || found(folder.path(), "out/", format)).await;
        }
    }
}

#[tokio::test]
async fn adding_to_a_folder_keeps_the_promises_of_a_sink() {
    let folder = tempfile::tempdir().expect("a folder");
    let value = json!({ "path": "out/", "format": "jsonl", "existing": "append" });
    let earlier = folder.path().join("out");
    std::fs::create_dir(&earlier).expect("a folder");
    std::fs::write(earlier.join("part-0-1.jsonl"), "").expect("an earlier part without rows");
    let sink = FileSink::new(options(value), folder.path()).expect("a sink");
    sink_contract(&sink, &sample(), || found(folder.path(), "out/", "jsonl")).await;
}

#[tokio::test]
async fn single_files_keep_the_promises_of_one_epoch() {
    for format in FORMATS {
        let folder = tempfile::tempdir().expect("a folder");
        let path = format!("out.{format}");
        let sink = FileSink::new(options(json!({ "path": path })), folder.path()).expect("a sink");
        single_epoch_sink_contract(&sink, &sample(), || found(folder.path(), &path, format)).await;
    }
}

#[test]
fn the_page_of_guarantees_says_what_files_promise() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink =
        |path: &str| FileSink::new(options(json!({ "path": path, "format": "csv" })), folder.path()).expect("a sink");
    assert_sink_documented("`file`: a folder", &sink("out/"));
    assert_sink_documented("`file`: a single file", &sink("out.csv"));
    assert_sink_documented("`file`: standard output, a named pipe, a device", &sink("-"));
    std::fs::write(folder.path().join("in.csv"), "a\n1\n").expect("a file");
    let file = source(folder.path(), json!({ "path": "in.csv" })).expect("opens");
    assert_source_documented("`file`: files, globs, folders", &file);
    let stream = volley_connector_file::FileSource::from_reader(
        options(json!({ "path": "-", "schema": { "a": "int64" } })),
        Box::new(std::io::empty()),
    );
    assert_source_documented("`file`: standard input, a named pipe, a device", &stream.expect("opens"));
}
