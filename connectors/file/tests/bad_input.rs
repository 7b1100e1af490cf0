//! Bad input: each kind gives a clear error with file and place, or one reject; nothing is dropped in silence.

mod common;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use common::{read_all, source, write};
use serde_json::{Value, json};
use tempfile::TempDir;
use volley_api::{ErrorKind, Source, SourceReject};

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).expect("a file");
    }
    folder
}

/// The error of opening or reading.
async fn failure(base: &Path, value: Value) -> (ErrorKind, String) {
    let error = match source(base, value) {
        Err(error) => error,
        Ok(source) => match read_all(&source, 100).await {
            Err(error) => error,
            Ok(all) => panic!("{} rows and {} rejects", all.batch.num_rows(), all.rejects.len()),
        },
    };
    (error.kind(), error.report())
}

/// The positions of the rows and the rejects of a text, in batches of one record and of all.
async fn outcome(name: &str, text: &[u8], more: Value) -> (Vec<i64>, Vec<SourceReject>) {
    let base = folder(&[(name, text)]);
    let mut value = json!({ "path": name });
    value.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let source = source(base.path(), value).unwrap_or_else(|error| panic!("{}", error.report()));
    assert!(source.can_reject());
    let one = read_all(&source, 1).await.expect("rows");
    let many = read_all(&source, 1000).await.expect("rows");
    assert_eq!((&one.positions, &one.rejects), (&many.positions, &many.rejects));
    assert_eq!(one.batch, many.batch);
    (many.positions, many.rejects)
}

fn summary(rejects: &[SourceReject]) -> Vec<(i64, &str, &str)> {
    rejects.iter().map(|reject| (reject.position, reject.code.as_str(), reject.raw.as_str())).collect()
}

#[tokio::test]
async fn csv_rows_with_the_wrong_number_of_fields() {
    let text = b"a,b\n1,2\n3,4,5\n6\n\n7,8\n";
    let (positions, rejects) = outcome("t.csv", text, json!({})).await;
    assert_eq!(positions, [2, 6]);
    assert_eq!(summary(&rejects), [(3, "malformed-csv", "3,4,5"), (4, "malformed-csv", "6")]);
    assert_eq!(rejects[0].message, "t.csv line 3: 3 fields, expected 2");
}

#[tokio::test]
async fn csv_values_of_another_type() {
    let schema = json!({ "schema": { "a": "int64 not null", "b": "date32" } });
    let text = b"b,a\n2013-01-01,1\n2013-01-32,2\n2013-01-02,x\n2013-01-03,\n,5\n";
    let (positions, rejects) = outcome("t.csv", text, schema).await;
    assert_eq!(positions, [2, 6]);
    let messages: Vec<&str> = rejects.iter().map(|reject| reject.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "t.csv line 3: column `b`: `2013-01-32` is not date32",
            "t.csv line 4: column `a`: `x` is not int64 not null",
            "t.csv line 5: column `a`: `` is not int64 not null",
        ]
    );
    assert!(rejects.iter().all(|reject| reject.code == "type-mismatch"));
}

#[tokio::test]
async fn an_inferred_type_that_does_not_hold() {
    let text = b"a\n1\n2\n3.5\n4\n";
    let (positions, rejects) = outcome("t.csv", text, json!({ "infer_rows": 2 })).await;
    assert_eq!(positions, [2, 3, 5]);
    assert_eq!(rejects[0].message, "t.csv line 4: column `a`: `3.5` is not int64");
    let json = b"{\"a\":1}\n{\"a\":2.5}\n{\"a\":3,\"b\":4}\n";
    let (positions, rejects) = outcome("t.jsonl", json, json!({ "infer_rows": 1 })).await;
    assert_eq!(positions, [1]);
    assert_eq!(rejects[0].message, "t.jsonl line 2: column `a`: 2.5 is not int64");
    assert_eq!(rejects[1].code, "unknown-field");
}

#[tokio::test]
async fn invalid_utf8() {
    let (positions, rejects) = outcome("t.csv", b"a,b\n1,x\n2,\xff\xfe\n3,y\n", json!({})).await;
    assert_eq!(positions, [2, 4]);
    assert_eq!(summary(&rejects), [(3, "invalid-utf8", "2,\u{fffd}\u{fffd}")]);
    assert_eq!(rejects[0].message, "t.csv line 3: column `b` is not UTF-8");
    let (positions, rejects) = outcome("t.jsonl", b"{\"a\":\"x\"}\n{\"a\":\"\xff\"}\n", json!({})).await;
    assert_eq!(positions, [1]);
    assert_eq!(rejects[0].code, "invalid-utf8");
}

#[tokio::test]
async fn quotes_that_do_not_close() {
    let (positions, rejects) = outcome("t.csv", b"a,b\n1,x\n2,\"open\n3,y\n", json!({})).await;
    assert_eq!(positions, [2]);
    assert_eq!(summary(&rejects), [(3, "malformed-csv", "2,\"open\n3,y")]);
    assert!(rejects[0].message.contains("not closed"));
    let long = [b"a,b\n1,\"".to_vec(), vec![b'x'; 17 << 20]].concat();
    let base = folder(&[("t.csv", &long)]);
    let (kind, message) =
        failure(base.path(), json!({ "path": "t.csv", "schema": { "a": "int64", "b": "utf8" } })).await;
    assert_eq!(kind, ErrorKind::Data);
    assert!(message.contains("t.csv line 2: a record of more than 16 MiB"), "{message}");
}

#[tokio::test]
async fn json_lines_that_are_no_objects() {
    let text = b"\xef\xbb\xbf{\"a\":1}\n[1]\n\n5\n{\"a\":2\n{\"a\":3}{\"a\":4}\n \r\n{\"a\":5}";
    let (positions, rejects) = outcome("t.jsonl", text, json!({})).await;
    assert_eq!(positions, [1, 8]);
    let expected = [
        (2, "not-an-object", "[1]"),
        (4, "not-an-object", "5"),
        (5, "malformed-json", "{\"a\":2"),
        (6, "malformed-json", "{\"a\":3}{\"a\":4}"),
    ];
    assert_eq!(summary(&rejects), expected);
    assert_eq!(rejects[0].message, "t.jsonl line 2: expected a JSON object, found an array");
}

#[tokio::test]
async fn csv_with_blank_lines_returns_and_a_byte_order_mark() {
    let text = b"\xef\xbb\xbfa,b\r\n\r\n1,\"x\r\ny\"\r\n2,z";
    let (positions, rejects) = outcome("t.csv", text, json!({ "schema": { "a": "int64", "b": "utf8" } })).await;
    assert_eq!(positions, [3, 5]);
    assert_eq!(rejects, []);
}

#[tokio::test]
async fn missing_files_folders_and_globs() {
    let base = folder(&[("readme.txt", b"x")]);
    for (path, expected, part) in [
        ("no.csv", ErrorKind::External, "no.csv: no such file"),
        ("no/*.csv", ErrorKind::External, "no/*.csv: no file matches"),
        ("./", ErrorKind::External, "no file with an extension"),
        ("readme.txt/x.csv", ErrorKind::External, "cannot read readme.txt/x.csv"),
        ("readme.txt", ErrorKind::Config, "readme.txt: no format has this extension"),
        ("readme.txt", ErrorKind::Config, "set `format` (--input-format on the command line)"),
        ("a[.csv", ErrorKind::Config, "a[.csv: not a glob"),
    ] {
        let (kind, message) = failure(base.path(), json!({ "path": path })).await;
        assert_eq!(kind, expected, "{message}");
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test]
async fn empty_files() {
    for name in ["t.csv", "t.jsonl", "t.parquet", "t.avro", "t.arrow"] {
        let base = folder(&[(name, b"")]);
        let (kind, message) = failure(base.path(), json!({ "path": name })).await;
        assert_eq!(kind, ErrorKind::Data, "{message}");
        assert!(message.contains(name), "{message}");
    }
    for name in ["t.csv", "t.jsonl"] {
        let (positions, rejects) = outcome(name, b"", json!({ "schema": { "a": "int64" } })).await;
        assert!(positions.is_empty() && rejects.is_empty());
    }
    let (positions, _) = outcome("t.csv", b"a,b\n", json!({})).await;
    assert!(positions.is_empty(), "a header alone is an empty table");
}

/// A file with three batches of rows.
async fn binary(base: &Path, name: &str) -> Vec<u8> {
    let ints: ArrayRef = Arc::new(Int64Array::from_iter_values((0..5_000).map(|at| at * 7_919 % 10_007)));
    let batch = RecordBatch::try_from_iter([("a", ints)]).expect("a batch");
    let parts: Vec<RecordBatch> = (0..3).map(|_| batch.clone()).collect();
    write(base, json!({ "path": name }), &batch.schema(), &parts).await.expect("written");
    std::fs::read(base.join(name)).expect("bytes")
}

#[tokio::test]
async fn truncated_and_foreign_binary_files() {
    for name in ["t.parquet", "t.avro", "t.arrow"] {
        let base = folder(&[]);
        let whole = binary(base.path(), name).await;
        for keep in [whole.len() - 1, whole.len() / 2, whole.len() / 10, 10] {
            std::fs::write(base.path().join(name), &whole[..keep]).expect("a file");
            let (kind, message) = failure(base.path(), json!({ "path": name })).await;
            assert_eq!(kind, ErrorKind::Data, "{name} cut to {keep}: {message}");
            assert!(message.contains(name), "{name} cut to {keep}: {message}");
        }
        std::fs::write(base.path().join(name), "carrier,dep_delay\nUA,2\n").expect("a file");
        let (_, message) = failure(base.path(), json!({ "path": name })).await;
        assert!(message.contains(name) && message.contains("not a"), "{message}");
    }
}

#[tokio::test]
async fn damaged_pages_name_the_row() {
    let base = folder(&[]);
    let mut whole = binary(base.path(), "t.parquet").await;
    let end = whole.len() / 2;
    whole[8..end].fill(0xff);
    std::fs::write(base.path().join("t.parquet"), &whole).expect("a file");
    let (_, message) = failure(base.path(), json!({ "path": "t.parquet" })).await;
    assert!(message.contains("t.parquet after row "), "{message}");
}

#[tokio::test]
async fn truncated_compression_is_an_error_after_the_good_rows() {
    let lines: Vec<String> = (0..20_000).map(|id| format!("{id},{:x}\n", id * 2_654_435_761_u64)).collect();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(format!("a,b\n{}", lines.concat()).as_bytes()).expect("memory");
    let whole = encoder.finish().expect("memory");
    let base = folder(&[("t.csv.gz", &whole[..whole.len() / 2])]);
    let source =
        source(base.path(), json!({ "path": "t.csv.gz", "schema": { "a": "int64", "b": "utf8" } })).expect("ok");
    let split = &source.discover().await.expect("a split")[0];
    let mut reader = source.open(split, None, common::batch_rows(1_000)).await.expect("open");
    let mut rows = 0;
    let error = loop {
        match reader.next().await {
            Ok(volley_api::ReadEvent::Batch(batch)) => {
                assert!(batch.rejects.is_empty(), "the record that is cut through is no reject");
                rows += batch.batch.num_rows();
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert!(rows > 5_000 && rows < 15_000, "{rows}");
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.report().contains(&format!("t.csv.gz after line {}", rows + 2)), "{}", error.report());
    let base = folder(&[("t.csv.zst", b"not zstd")]);
    let (kind, message) = failure(base.path(), json!({ "path": "t.csv.zst", "schema": { "a": "int64" } })).await;
    assert!(message.contains("t.csv.zst"), "{kind:?} {message}");
}

#[tokio::test]
async fn files_that_do_not_fit_together() {
    let base = folder(&[("a-1.csv", b"a,b\n1,2\n"), ("a-2.csv", b"a,c\n1,2\n"), ("b-1.csv", b"a\n1\n")]);
    let (kind, message) = failure(base.path(), json!({ "path": "a-*.csv" })).await;
    assert_eq!(kind, ErrorKind::Data);
    assert!(message.contains("a-2.csv: column `c` is not in the other files"), "{message}");
    let (_, message) = failure(base.path(), json!({ "path": "*-1.csv" })).await;
    assert!(message.contains("b-1.csv: no column `b`; the file has a"), "{message}");
    let schema = json!({ "a": "int64", "z": "utf8" });
    let (_, message) = failure(base.path(), json!({ "path": "a-1.csv", "schema": schema })).await;
    assert!(message.contains("a-1.csv: no column `z`; the file has a, b"), "{message}");
    binary(base.path(), "t.parquet").await;
    let (_, message) = failure(base.path(), json!({ "path": "t.parquet", "schema": { "a": "utf8" } })).await;
    assert!(message.contains("t.parquet: column `a` is int64, expected utf8"), "{message}");
    let (_, message) = failure(folder(&[("t.csv", b"a,a\n1,2\n")]).path(), json!({ "path": "t.csv" })).await;
    assert!(message.contains("t.csv line 1: column `a` stands twice"), "{message}");
}

#[tokio::test]
async fn options_without_meaning() {
    let base = folder(&[("t.csv", b"a\n1\n"), ("t.csv.gz", b""), ("t.parquet", b"")]);
    for (more, part) in [
        (json!({ "rate": 0 }), "`rate` is 0"),
        (json!({ "infer_rows": 0 }), "`infer_rows` is 0"),
        (json!({ "follow_interval_ms": 0 }), "`follow_interval_ms` is 0"),
        (json!({ "schema": { "a": "list<int64>" } }), "column `a` has type list<int64>, which CSV has no place for"),
        (json!({ "csv": { "delimiter": "é" } }), "`csv.delimiter`"),
        (json!({ "path": "t.csv.gz", "follow": true }), "without compression"),
        (json!({ "path": "t.parquet", "follow": true }), "`follow` needs csv, jsonl or a codec"),
    ] {
        let mut value = json!({ "path": "t.csv" });
        value.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let (kind, message) = failure(base.path(), value).await;
        assert_eq!(kind, ErrorKind::Config, "{message}");
        assert!(message.contains(part), "{message}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_replaced_by_a_shorter_one_is_not_resumed() {
    let base = folder(&[("t.csv", b"a\n1\n2\n3\n")]);
    let source = source(base.path(), json!({ "path": "t.csv" })).expect("a source");
    let split = &source.discover().await.expect("a split")[0];
    let all = read_all(&source, 2).await.expect("rows");
    let (_, _, last) = all.offsets.last().expect("an offset");
    std::fs::write(base.path().join("t.csv"), "a\n").expect("a file");
    let error = source.open(split, Some(last), common::batch_rows(2)).await.err().expect("refused");
    assert!(error.report().contains("t.csv: shorter than the 8 bytes"), "{}", error.report());
    let stranger = volley_api::SplitOffset(b"{}".to_vec().into());
    assert!(source.open(split, Some(&stranger), common::batch_rows(2)).await.is_err());
}
