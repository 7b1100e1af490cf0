//! Input that is not a finished file: files that grow, streams, and a pace.

mod common;

use std::fs::OpenOptions;
use std::io::{Cursor, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use common::{batch_rows, options, read_all, source, write};
use serde_json::json;
use volley_api::{Boundedness, ErrorKind, ReadEvent, Replay, Source, SourceBatch, SplitReader};
use volley_connector_file::FileSource;

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("a file");
    file.write_all(text.as_bytes()).expect("appended");
}

async fn batch(reader: &mut Box<dyn SplitReader>) -> SourceBatch {
    match reader.next().await.expect("no error") {
        ReadEvent::Batch(batch) => batch,
        other => panic!("{other:?}"),
    }
}

async fn is_idle(reader: &mut Box<dyn SplitReader>) -> bool {
    matches!(reader.next().await.expect("no error"), ReadEvent::Idle(_))
}

#[tokio::test]
async fn followed_files_give_complete_lines_only() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, header, one, half, rest) in [
        ("t.csv", "a,b\n", "1,x\n", "2,\"y\n", "z\"\n3,w\n"),
        ("t.jsonl", "\n", "{\"a\":1,\"b\":\"x\"}\n", "{\"a\":2,", "\"b\":\"y\"}\n{\"a\":3,\"b\":\"w\"}\n"),
    ] {
        let path = folder.path().join(name);
        append(&path, "");
        let schema = json!({ "a": "int64", "b": "utf8" });
        let value = json!({ "path": name, "schema": schema, "follow": true, "follow_interval_ms": 5 });
        let source = source(folder.path(), value).expect("a source");
        assert_eq!(source.boundedness(), Boundedness::Unbounded);
        let split = &source.discover().await.expect("a split")[0];
        let mut reader = source.open(split, None, batch_rows(100)).await.expect("open");
        assert!(is_idle(&mut reader).await, "{name}: no header yet");
        append(&path, header);
        assert!(is_idle(&mut reader).await, "{name}: no rows yet");
        append(&path, one);
        assert_eq!(batch(&mut reader).await.batch.num_rows(), 1);
        append(&path, half);
        assert!(is_idle(&mut reader).await, "{name}: half a record");
        let offset = reader.offset();
        append(&path, rest);
        let rows = batch(&mut reader).await;
        assert_eq!((rows.batch.num_rows(), rows.rejects.len()), (2, 0), "{name}");
        assert!(is_idle(&mut reader).await);
        let mut again = source.open(split, Some(&offset), batch_rows(100)).await.expect("resumed");
        assert_eq!(batch(&mut again).await.batch, rows.batch, "{name}");
        std::fs::write(&path, "").expect("truncated");
        let error = reader.next().await.expect_err("a followed file only grows");
        assert!(error.report().contains(name) && error.report().contains("only grow"), "{}", error.report());
    }
}

#[tokio::test]
async fn a_followed_file_that_vanishes_is_an_external_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("t.jsonl");
    append(&path, "{\"a\":1}\n");
    let source = source(folder.path(), json!({ "path": "t.jsonl", "follow": true })).expect("a source");
    let split = &source.discover().await.expect("a split")[0];
    let mut reader = source.open(split, None, batch_rows(100)).await.expect("open");
    assert_eq!(batch(&mut reader).await.batch.num_rows(), 1);
    std::fs::remove_file(&path).expect("removed");
    let error = reader.next().await.expect_err("gone");
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::External, "t.jsonl: no such file or folder"));
}

#[tokio::test]
async fn a_followed_file_refuses_bad_records_as_they_come() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("t.csv");
    append(&path, "a\n1\nx\n2\n3,");
    let value = json!({ "path": "t.csv", "schema": { "a": "int64" }, "follow": true });
    let source = source(folder.path(), value).expect("a source");
    let split = &source.discover().await.expect("a split")[0];
    let mut reader = source.open(split, None, batch_rows(100)).await.expect("open");
    let rows = batch(&mut reader).await;
    assert_eq!((rows.batch.num_rows(), rows.rejects.len()), (2, 1));
    assert!(is_idle(&mut reader).await, "the record is bad already, but not complete");
    append(&path, "4\n");
    assert_eq!(batch(&mut reader).await.rejects[0].raw, "3,4");
}

#[tokio::test]
async fn half_a_record_of_a_growing_file_shows_no_type() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("t.csv");
    append(&path, "a,b\n1.5,x\n2,3");
    let source = source(folder.path(), json!({ "path": "t.csv", "follow": true })).expect("a source");
    assert_eq!(source.schema().field(1).data_type(), &arrow::datatypes::DataType::Utf8);
    append(&path, "y\n");
    let split = &source.discover().await.expect("a split")[0];
    let mut reader = source.open(split, None, batch_rows(100)).await.expect("open");
    let rows = batch(&mut reader).await;
    assert_eq!((rows.batch.num_rows(), rows.rejects.len()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_rate_spreads_rows_over_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text: String = (0..100).map(|id| format!("{{\"a\":{id}}}\n")).collect();
    append(&folder.path().join("t.jsonl"), &text);
    let source = source(folder.path(), json!({ "path": "t.jsonl", "rate": 50 })).expect("a source");
    let split = &source.discover().await.expect("a split")[0];
    let mut reader = source.open(split, None, batch_rows(8192)).await.expect("open");
    let (mut rows, mut waited) = (0, Duration::ZERO);
    loop {
        match reader.next().await.expect("no error") {
            ReadEvent::Idle(wait) => {
                tokio::time::advance(wait).await;
                waited += wait;
            }
            ReadEvent::Batch(batch) => {
                rows += batch.batch.num_rows();
                assert!(batch.batch.num_rows() <= 5);
            }
            ReadEvent::End => break,
        }
    }
    assert_eq!(rows, 100);
    assert!(waited >= Duration::from_millis(1_900) && waited <= Duration::from_millis(2_001), "{waited:?}");
}

fn stream(value: serde_json::Value, bytes: Vec<u8>) -> FileSource {
    FileSource::from_reader(options(value), Box::new(Cursor::new(bytes))).expect("a source")
}

#[tokio::test]
async fn streams_of_every_format() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ints: ArrayRef = Arc::new(Int64Array::from_iter_values(0..30_000));
    let batch = RecordBatch::try_from_iter([("a", ints)]).expect("a batch");
    for format in ["csv", "jsonl", "parquet", "avro", "arrow"] {
        let name = format!("t.{format}");
        write(folder.path(), json!({ "path": name }), &batch.schema(), std::slice::from_ref(&batch)).await.expect("ok");
        let bytes = std::fs::read(folder.path().join(&name)).expect("bytes");
        let source = stream(json!({ "path": "-", "format": format }), bytes);
        assert_eq!(source.replay(), Replay::None);
        let all = read_all(&source, 1_000).await.expect(format);
        assert_eq!(all.batch.column(0), batch.column(0), "{format}");
        let error = read_all(&source, 1_000).await.err().expect("read once");
        assert!(error.report().contains("only once"), "{}", error.report());
    }
}

#[tokio::test]
async fn a_stream_without_a_format_is_json_lines_and_keeps_what_inference_read() {
    let source = stream(json!({ "path": "-", "infer_rows": 1 }), b"{\"a\":1}\n{\"a\":2}\n{\"a\":3}".to_vec());
    let all = read_all(&source, 2).await.expect("rows");
    assert_eq!((all.batch.num_rows(), all.positions), (3, vec![1, 2, 3]));
    assert_eq!(source.label(), "file - (jsonl)");
    let compressed = zstd::encode_all(&b"a\n1\n2\n"[..], 1).expect("memory");
    let source = stream(json!({ "path": "-", "format": "csv", "compression": "zstd" }), compressed);
    assert_eq!(read_all(&source, 2).await.expect("rows").batch.num_rows(), 2);
}

/// A pipe whose other end the test holds.
struct Pipe(Receiver<Vec<u8>>, Cursor<Vec<u8>>);

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.1.read(buffer)?;
        if bytes > 0 {
            return Ok(bytes);
        }
        match self.0.recv() {
            Ok(piece) => {
                self.1 = Cursor::new(piece);
                self.read(buffer)
            }
            Err(_) => Ok(0),
        }
    }
}

#[tokio::test]
async fn a_slow_stream_gives_its_rows_as_they_come() {
    for (format, first, second) in
        [("csv", "a\n1\n2\n3", "4\n5\n"), ("jsonl", "{\"a\":1}\n{\"a\":2}\n{\"a\"", ":34}\n{\"a\":5}\n")]
    {
        let (sender, receiver) = channel();
        let value = json!({ "path": "-", "format": format, "schema": { "a": "int64" } });
        let pipe = Box::new(Pipe(receiver, Cursor::default()));
        let source = FileSource::from_reader(options(value), pipe).expect("a source");
        let split = &source.discover().await.expect("a split")[0];
        let mut reader = source.open(split, None, batch_rows(1_000)).await.expect("open");
        sender.send(first.as_bytes().to_vec()).expect("somebody reads");
        // The sender holds the pipe open: the rows come without waiting for a full batch or the end.
        assert_eq!(batch(&mut reader).await.batch.column(0).to_data(), Int64Array::from(vec![1, 2]).into());
        sender.send(second.as_bytes().to_vec()).expect("somebody reads");
        assert_eq!(batch(&mut reader).await.batch.column(0).to_data(), Int64Array::from(vec![34, 5]).into());
        drop(sender);
        assert!(matches!(reader.next().await.expect("no error"), ReadEvent::End));
    }
}

/// Nothing here waits for a full sample, which the pipe will never have: without that, the test does not end.
#[tokio::test]
async fn types_are_inferred_from_what_a_live_stream_has_sent() {
    for (format, head, first, second) in [("csv", "a\n", "1\n2", "3\n"), ("jsonl", "\n", "{\"a\":1}\n{\"a\":2", "3}\n")]
    {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        let send = |writer: &mut std::io::PipeWriter, text: &str| writer.write_all(text.as_bytes()).expect("read");
        send(&mut writer, head);
        send(&mut writer, first);
        let value = options(json!({ "path": "-", "format": format }));
        let source = FileSource::from_reader(value, Box::new(reader)).expect("a source");
        assert_eq!(source.schema().field(0).data_type(), &arrow::datatypes::DataType::Int64);
        let split = &source.discover().await.expect("a split")[0];
        let mut reader = source.open(split, None, batch_rows(1_000)).await.expect("open");
        assert_eq!(batch(&mut reader).await.batch.column(0).to_data(), Int64Array::from(vec![1]).into());
        send(&mut writer, second);
        assert_eq!(batch(&mut reader).await.batch.column(0).to_data(), Int64Array::from(vec![23]).into());
        drop(writer);
        assert!(matches!(reader.next().await.expect("no error"), ReadEvent::End));
    }
}

/// A header says nothing about types: the first record is waited for.
#[tokio::test]
async fn a_header_alone_is_no_sample() {
    /// Sends the record once it has been waited for behind the header.
    struct Late(u8, std::sync::mpsc::Receiver<()>);
    impl Read for Late {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0 += 1;
            let text: &[u8] = match self.0 {
                1 => b"a\n",
                2 => {
                    let pause = Duration::from_millis(500);
                    assert!(self.1.recv_timeout(pause).is_err(), "the header was not enough to go on");
                    b"1\n"
                }
                _ => b"",
            };
            (&*text).read(buffer)
        }
    }
    let (opened, receiver) = channel();
    let input = Box::new(Late(0, receiver));
    let source = FileSource::from_reader(options(json!({ "path": "-", "format": "csv" })), input).expect("a source");
    opened.send(()).unwrap_or_default();
    assert_eq!(source.schema().field(0).data_type(), &arrow::datatypes::DataType::Int64);
}

#[tokio::test]
async fn messages_call_standard_input_by_its_name() {
    let source = stream(json!({ "path": "-", "infer_rows": 1 }), b"{\"a\":1}\n{\"a\":\"x\"}\n".to_vec());
    let all = read_all(&source, 10).await.expect("rows");
    assert_eq!(all.rejects[0].message, "standard input line 2: column `a`: \"x\" is not int64");
    let empty = FileSource::from_reader(options(json!({ "path": "-" })), Box::new(std::io::empty()));
    let expected = "standard input: empty: nothing to infer columns from; declare `schema` in a pipeline file";
    assert_eq!(empty.expect_err("empty").to_string(), expected);
}

#[test]
fn columns_without_a_value_are_warned_of() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("t.csv"), "a,b,c\n1,,\n2,,x\n").expect("a file");
    std::fs::write(folder.path().join("whole.csv"), "a\n1\n").expect("a file");
    let schema = tracing::subscriber::with_default(subscriber, || {
        source(folder.path(), json!({ "path": "whole.csv" })).expect("a source");
        assert_eq!(log.text(), "");
        source(folder.path(), json!({ "path": "t.csv" })).expect("a source").schema()
    });
    assert_eq!(schema.field(1).data_type(), &arrow::datatypes::DataType::Utf8);
    assert!(log.text().contains("WARN"), "{}", log.text());
    assert!(log.text().contains("t.csv: no value to infer a type from in `b`, read as utf8"), "{}", log.text());
    assert!(log.text().contains("`schema: { b: int64, … }`"), "{}", log.text());
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("UTF-8")
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_runtime_ends_while_a_stream_is_waited_for() {
    let (sender, receiver) = channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let value = json!({ "path": "-", "schema": { "a": "int64" } });
        let source = FileSource::from_reader(options(value), Box::new(Pipe(receiver, Cursor::default()))).expect("ok");
        let split = &source.discover().await.expect("a split")[0];
        let mut reader = source.open(split, None, batch_rows(10)).await.expect("open");
        tokio::select! {
            biased;
            _ = reader.next() => panic!("nothing was sent"),
            () = tokio::task::yield_now() => {}
        }
    });
    drop(runtime);
    drop(sender);
}

#[cfg(unix)]
#[tokio::test]
async fn named_pipes_are_streams() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
    let other = path.clone();
    let writer = std::thread::spawn(move || std::fs::write(other, "a\n1\n2\n").expect("written"));
    let base = folder.path().to_owned();
    let open = move || source(&base, json!({ "path": "pipe", "format": "csv" })).expect("a source");
    let source = tokio::task::spawn_blocking(open).await.expect("opened");
    assert_eq!(source.replay(), Replay::None);
    assert_eq!(read_all(&source, 10).await.expect("rows").batch.num_rows(), 2);
    writer.join().expect("the writer ended");
}
