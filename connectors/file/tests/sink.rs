//! The sink: staged, committed, looked up, aborted; and what is left when something fails.

mod common;

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Int64Array, ListArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use common::{context, names, open, options, part_names, prepare, read_all, source, write};
use serde_json::{Value, json};
use volley_api::{CommitStatus, DeliveryGuarantee, Epoch, ErrorKind, Sink};
use volley_connector_file::FileSink;

fn batch(values: std::ops::Range<i64>) -> RecordBatch {
    let ints: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    RecordBatch::try_from_iter([("a", ints)]).expect("a batch")
}

fn schema() -> SchemaRef {
    batch(0..1).schema()
}

fn sink(base: &Path, value: Value) -> FileSink {
    FileSink::new(options(value), base).expect("a sink")
}

fn visible(folder: &Path) -> Vec<String> {
    part_names(folder).into_iter().filter(|name| !name.starts_with('.')).collect()
}

#[tokio::test]
async fn a_file_appears_whole_at_commit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("o.csv");
    std::fs::write(&path, "the old one").expect("a file");
    let sink = sink(folder.path(), json!({ "path": "o.csv" }));
    assert_eq!((sink.guarantee(), sink.parallelism_max()), (DeliveryGuarantee::ExactlyOnce, Some(1)));
    let committable = prepare(&sink, &schema(), &[batch(0..2)]).await.expect("prepared").expect("rows");
    assert_eq!(std::fs::read_to_string(&path).expect("text"), "the old one");
    assert_eq!(names(folder.path()).len(), 2);
    assert_eq!(sink.lookup(&committable).await.expect("an answer"), CommitStatus::NotCommitted);
    for _ in 0..2 {
        sink.commit(&committable).await.expect("committed, however often");
        assert_eq!(std::fs::read_to_string(&path).expect("text"), "a\n0\n1\n");
        assert_eq!(sink.lookup(&committable).await.expect("an answer"), CommitStatus::Committed);
    }
    assert_eq!(names(folder.path()), ["o.csv"]);
    std::fs::write(&path, "a\n0\n2\n").expect("somebody else's");
    for error in [sink.lookup(&committable).await.err(), sink.commit(&committable).await.err()] {
        let error = error.expect("its staged file is gone");
        assert!(error.report().contains("neither o.csv nor its staged file .o.csv.staged-"), "{}", error.report());
        assert_eq!(error.kind(), ErrorKind::External);
    }
}

#[tokio::test]
async fn another_process_finishes_what_was_prepared() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let value = json!({ "path": "o/", "format": "jsonl" });
    let committable = {
        let sink = sink(folder.path(), value.clone());
        prepare(&sink, &schema(), &[batch(0..2)]).await.expect("prepared").expect("rows")
    };
    let sink = sink(folder.path(), value);
    sink.commit(&committable).await.expect("committed");
    assert_eq!(part_names(&folder.path().join("o")), ["part-RUN-0-1.jsonl"]);
}

#[tokio::test]
async fn an_abort_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sink = sink(folder.path(), json!({ "path": "o.parquet" }));
    let committable = prepare(&sink, &schema(), &[batch(0..2)]).await.expect("prepared").expect("rows");
    for _ in 0..2 {
        sink.abort(&committable).await.expect("aborted, however often");
        assert_eq!(names(folder.path()), [""; 0]);
    }
    assert!(sink.lookup(&committable).await.is_err(), "nobody can tell it from what a reader has taken away");
    assert!(sink.commit(&committable).await.is_err());
}

#[tokio::test]
async fn a_dropped_writer_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sink = sink(folder.path(), json!({ "path": "o/", "format": "csv", "part_rows_max": 2 }));
    let mut writer = open(&sink, &schema()).await.expect("a writer");
    writer.write(batch(0..5)).await.expect("written");
    assert_eq!(names(&folder.path().join("o")).len(), 3);
    drop(writer);
    assert_eq!(names(&folder.path().join("o")), [""; 0]);
}

#[tokio::test]
async fn folders_get_a_file_per_writer_and_epoch() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sink = sink(folder.path(), json!({ "path": "o/", "format": "csv", "compression": "gzip" }));
    assert_eq!(sink.parallelism_max(), None);
    for subtask in 0..2 {
        let mut writer = sink.open(context(&schema(), subtask, 2)).await.expect("a writer");
        for epoch in [3, 5] {
            writer.write(batch(0..2)).await.expect("written");
            let committable = writer.prepare(Epoch(epoch)).await.expect("prepared").expect("rows");
            sink.commit(&committable).await.expect("committed");
        }
        assert_eq!(writer.prepare(Epoch(6)).await.expect("prepared"), None, "an epoch without rows");
    }
    let expected = ["part-RUN-0-3.csv.gz", "part-RUN-0-5.csv.gz", "part-RUN-1-3.csv.gz", "part-RUN-1-5.csv.gz"];
    assert_eq!(part_names(&folder.path().join("o")), expected);
    let source = source(folder.path(), json!({ "path": "o" })).expect("a source");
    assert_eq!(read_all(&source, 10).await.expect("rows").batch.num_rows(), 8);
}

#[tokio::test]
async fn parts_roll_at_their_size() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let by_rows = sink(folder.path(), json!({ "path": "r/", "format": "parquet", "part_rows_max": 4 }));
    let committable = prepare(&by_rows, &schema(), &[batch(0..3), batch(3..10)]).await.expect("ok").expect("rows");
    assert_eq!(visible(&folder.path().join("r")), [""; 0]);
    by_rows.commit(&committable).await.expect("committed");
    let parts = ["part-RUN-0-1-1.parquet", "part-RUN-0-1-2.parquet", "part-RUN-0-1.parquet"];
    assert_eq!(visible(&folder.path().join("r")), parts);
    let all = read_all(&source(folder.path(), json!({ "path": "r" })).expect("a source"), 10).await.expect("rows");
    assert_eq!(all.batch.num_rows(), 10);
    let by_bytes = sink(folder.path(), json!({ "path": "b/", "format": "csv", "part_bytes_max": 500_000 }));
    let batches: Vec<RecordBatch> = (0..10).map(|at| batch(at * 30_000..(at + 1) * 30_000)).collect();
    let committable = prepare(&by_bytes, &schema(), &batches).await.expect("ok").expect("rows");
    by_bytes.commit(&committable).await.expect("committed");
    assert!(visible(&folder.path().join("b")).len() > 1);
    let error = FileSink::new(options(json!({ "path": "o.csv", "part_rows_max": 4 })), folder.path());
    assert!(error.expect_err("not a folder").report().contains("`part_rows_max` is for folders"));
}

#[tokio::test]
async fn a_folder_with_output_of_an_earlier_run_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let value = json!({ "path": "o/", "format": "csv" });
    write(folder.path(), value.clone(), &schema(), &[batch(0..2)]).await.expect("the first run");
    let earlier = names(&folder.path().join("o"));
    // Making the sink is what validation does: it does not look.
    let again = sink(folder.path(), value.clone());
    let error = open(&again, &schema()).await.err().expect("refused");
    assert_eq!(error.kind(), ErrorKind::Config);
    let expected = format!(
        "o/ holds {} of an earlier run: empty the folder, or set `existing: append` in a pipeline file to add to it",
        earlier[0]
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(names(&folder.path().join("o")), earlier, "nothing is staged");
    let jsonl = json!({ "path": "o/", "format": "jsonl" });
    write(folder.path(), jsonl, &schema(), &[batch(0..2)]).await.expect("another format is somebody else's");
    std::fs::remove_file(folder.path().join("o").join(&earlier[0])).expect("emptied");
    assert!(open(&again, &schema()).await.is_ok());
}

#[tokio::test]
async fn output_is_added_to_a_folder_and_replaces_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let value = json!({ "path": "o/", "format": "csv", "existing": "append" });
    for _ in 0..3 {
        // Each time with the same clock, writer and epoch.
        write(folder.path(), value.clone(), &schema(), &[batch(0..2)]).await.expect("a run");
    }
    assert_eq!(part_names(&folder.path().join("o")), ["part-RUN-0-1.csv"; 3]);
    let all = read_all(&source(folder.path(), json!({ "path": "o" })).expect("a source"), 10).await.expect("rows");
    assert_eq!(all.batch.num_rows(), 6);
    for existing in ["append", "fail"] {
        let error = FileSink::new(options(json!({ "path": "o.csv", "existing": existing })), folder.path());
        assert!(error.expect_err("not a folder").report().contains("`existing` is for folders"));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_followed_and_stay() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let there = folder.path().join("there");
    std::fs::create_dir(&there).expect("a folder");
    std::fs::write(there.join("old.csv"), "the old one").expect("a file");
    for (link, to) in [("a.csv", "there/old.csv"), ("b.csv", "a.csv"), ("c.csv", "there/new.csv")] {
        std::os::unix::fs::symlink(to, folder.path().join(link)).expect("a link");
    }
    for (link, file) in [("a.csv", "old.csv"), ("b.csv", "old.csv"), ("c.csv", "new.csv")] {
        let sink = sink(folder.path(), json!({ "path": link }));
        let target = there.canonicalize().expect("a real path").join(file);
        assert_eq!(sink.target().expect("a file"), target.display().to_string());
        let committable = prepare(&sink, &schema(), &[batch(0..2)]).await.expect("prepared").expect("rows");
        assert!(names(&there).iter().any(|name| name.starts_with('.')), "staged beside the file");
        sink.commit(&committable).await.expect("committed");
        assert_eq!(std::fs::read_to_string(there.join(file)).expect("text"), "a\n0\n1\n");
        assert!(std::fs::symlink_metadata(folder.path().join(link)).expect("there").is_symlink(), "{link}");
        std::fs::remove_file(there.join(file)).expect("cleared");
    }
    assert_eq!(names(folder.path()), ["a.csv", "b.csv", "c.csv", "there"]);
}

#[cfg(unix)]
fn make_pipe(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().expect("mkfifo").success());
}

#[cfg(unix)]
fn is_pipe(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::symlink_metadata(path).expect("there").file_type().is_fifo()
}

#[cfg(unix)]
#[tokio::test]
async fn named_pipes_are_written_to_and_stay() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("o.csv");
    make_pipe(&path);
    std::os::unix::fs::symlink("o.csv", folder.path().join("link")).expect("a link");
    for (name, format) in [("o.csv", None), ("link", Some("csv"))] {
        let sink = sink(folder.path(), json!({ "path": name, "format": format }));
        assert_eq!((sink.guarantee(), sink.parallelism_max()), (DeliveryGuarantee::Immediate, Some(1)));
        let target = path.canonicalize().expect("a real path").display().to_string();
        assert_eq!(sink.target(), Some(target));
        let other = path.clone();
        let reader = std::thread::spawn(move || std::fs::read_to_string(other).expect("text"));
        assert_eq!(prepare(&sink, &schema(), &[batch(0..2)]).await.expect("prepared"), None);
        assert!(open(&sink, &schema()).await.err().expect("one writer").report().contains("has one writer"));
        drop(sink);
        assert_eq!(reader.join().expect("text"), "a\n0\n1\n");
        assert!(is_pipe(&path));
        assert_eq!(names(folder.path()), ["link", "o.csv"]);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn what_takes_a_files_place_before_the_commit_is_not_replaced() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("o.csv");
    let sink = sink(folder.path(), json!({ "path": "o.csv" }));
    let committable = prepare(&sink, &schema(), &[batch(0..2)]).await.expect("prepared").expect("rows");
    make_pipe(&path);
    let error = sink.commit(&committable).await.expect_err("a pipe");
    assert!(error.report().contains("o.csv: a pipe or device stands there"), "{}", error.report());
    assert!(is_pipe(&path));
    std::fs::remove_file(&path).expect("removed");
    sink.commit(&committable).await.expect("the staged file is still there");
    assert_eq!(std::fs::read_to_string(&path).expect("text"), "a\n0\n1\n");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn devices_are_written_to_and_stay() {
    use std::os::unix::fs::FileTypeExt;
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::os::unix::fs::symlink("/dev/full", folder.path().join("full")).expect("a link");
    for path in ["/dev/full", "full"] {
        let sink = sink(folder.path(), json!({ "path": path, "format": "csv" }));
        assert_eq!(sink.guarantee(), DeliveryGuarantee::Immediate);
        let error = prepare(&sink, &schema(), &[batch(0..2)]).await.expect_err("no room");
        assert_eq!(error.kind(), ErrorKind::External);
        assert!(error.report().contains("No space left") && error.report().contains(path), "{}", error.report());
        assert!(std::fs::symlink_metadata("/dev/full").expect("there").file_type().is_char_device());
    }
    assert_eq!(names(folder.path()), ["full"]);
}

#[tokio::test]
async fn one_file_holds_one_epoch() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sink = sink(folder.path(), json!({ "path": "new/o.jsonl" }));
    let mut writer = open(&sink, &schema()).await.expect("a writer");
    writer.write(batch(0..1)).await.expect("written");
    let committable = writer.prepare(Epoch(1)).await.expect("prepared").expect("rows");
    assert_eq!(writer.prepare(Epoch(2)).await.expect("nothing to say"), None);
    let error = writer.write(batch(0..1)).await.expect_err("a second epoch");
    assert!(error.report().contains("write to a folder"), "{}", error.report());
    sink.commit(&committable).await.expect("the first one stands");
    assert_eq!(names(&folder.path().join("new")), ["o.jsonl"]);
}

#[tokio::test]
async fn types_without_a_place_are_refused_with_a_way_out() {
    let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1)])]));
    let nested = RecordBatch::try_from_iter([("tags", list)]).expect("a batch").schema();
    let sink = sink(Path::new(""), json!({ "path": "o.csv" }));
    let error = sink.check(&nested).expect_err("nested");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(
        error.to_string(),
        "column `tags` has type list<int64>, which csv has no place for; leave it out with `select`, or write jsonl or \
         parquet"
    );
    let union = [(0, Arc::new(Field::new("x", DataType::Int64, true)))].into_iter().collect();
    let odd: SchemaRef = Arc::new(Schema::new(vec![Field::new(
        "span",
        DataType::Union(union, arrow::datatypes::UnionMode::Sparse),
        false,
    )]));
    let parquet = FileSink::new(options(json!({ "path": "o.parquet" })), Path::new("")).expect("a sink");
    assert!(parquet.check(&odd).expect_err("no unions").to_string().contains("`span`"));
}

/// An output that the test can look into, and that fails when told.
#[derive(Clone, Default)]
struct Tap(Arc<Mutex<(Vec<u8>, Option<io::ErrorKind>)>>);

impl Write for Tap {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.0.lock().expect("not poisoned");
        match inner.1 {
            Some(kind) => Err(kind.into()),
            None => {
                inner.0.extend_from_slice(bytes);
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Tap {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("not poisoned").0.clone()).expect("UTF-8")
    }
}

#[tokio::test]
async fn standard_output_shows_rows_at_once() {
    let tap = Tap::default();
    let sink =
        FileSink::to_writer(options(json!({ "path": "-", "format": "csv" })), Box::new(tap.clone())).expect("ok");
    assert_eq!((sink.guarantee(), sink.parallelism_max()), (DeliveryGuarantee::Immediate, Some(1)));
    let mut writer = open(&sink, &schema()).await.expect("a writer");
    writer.write(batch(0..1)).await.expect("written");
    assert_eq!(sink.target().as_deref(), Some("standard output"));
    assert_eq!(tap.text(), "a\n0\n");
    assert_eq!(writer.prepare(Epoch(1)).await.expect("prepared"), None);
    writer.write(batch(1..2)).await.expect("another epoch");
    assert_eq!(tap.text(), "a\n0\n1\n", "one header");
    assert!(open(&sink, &schema()).await.is_err(), "one writer");
}

#[tokio::test]
async fn every_format_goes_to_a_stream() {
    for format in ["csv", "jsonl", "parquet", "avro", "arrow"] {
        let tap = Tap::default();
        let sink =
            FileSink::to_writer(options(json!({ "path": "-", "format": format })), Box::new(tap.clone())).expect("ok");
        prepare(&sink, &schema(), &[batch(0..2), batch(2..4)]).await.expect(format);
        let bytes = tap.0.lock().expect("not poisoned").0.clone();
        let value = json!({ "path": "-", "format": format, "schema": { "a": "int64" } });
        let source = volley_connector_file::FileSource::from_reader(options(value), Box::new(io::Cursor::new(bytes)));
        let all = read_all(&source.expect(format), 3).await.expect(format);
        assert_eq!(all.batch.num_rows(), 4, "{format}");
    }
}

#[tokio::test]
async fn a_closed_pipe_and_a_full_disk_are_told_apart() {
    for (kind, expected) in
        [(io::ErrorKind::BrokenPipe, ErrorKind::BrokenPipe), (io::ErrorKind::StorageFull, ErrorKind::External)]
    {
        for format in ["csv", "jsonl", "avro", "arrow", "parquet"] {
            let tap = Tap::default();
            let value = json!({ "path": "-", "format": format });
            let sink = FileSink::to_writer(options(value), Box::new(tap.clone())).expect("ok");
            let mut writer = open(&sink, &schema()).await.expect("a writer");
            tap.0.lock().expect("not poisoned").1 = Some(kind);
            // Parquet holds its rows back until the end.
            let mut outcome = writer.write(batch(0..10)).await;
            if outcome.is_ok() {
                outcome = writer.prepare(Epoch(1)).await.map(drop);
            }
            let error = outcome.expect_err(format);
            assert_eq!(error.kind(), expected, "{format}: {}", error.report());
            assert!(error.report().contains("standard output"), "{}", error.report());
            assert!(writer.write(batch(0..1)).await.is_err(), "not used again");
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_device_is_an_external_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let sink = FileSink::to_writer(options(json!({ "path": "-" })), Box::new(full)).expect("ok");
    let mut writer = open(&sink, &schema()).await.expect("a writer");
    let error = writer.write(batch(0..1)).await.expect_err("no room");
    assert_eq!(error.kind(), ErrorKind::External);
    assert!(error.report().contains("No space left"), "{}", error.report());
}

/// Set in the child process of the next test, to the folder to write into.
const CHILD: &str = "VOLLEY_TEST_FULL_DISK";

/// Runs itself in a process that may not write files beyond 8 KiB: the nearest thing to a full disk that needs no
/// rights.
#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_leaves_nothing_behind() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return child(Path::new(&folder));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = std::process::Command::new("bash")
        .args([
            "-c",
            "ulimit -f 8; trap '' XFSZ; exec \"$0\" --exact a_disk_that_fills_up_leaves_nothing_behind --nocapture",
        ])
        .arg(std::env::current_exe().expect("this test"))
        .env(CHILD, folder.path())
        .output()
        .expect("bash");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    assert_eq!(text.matches("left nothing").count(), 5, "{text}");
    assert_eq!(names(folder.path()), [""; 0]);
}

fn child(folder: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for name in ["o.csv", "o.jsonl.gz", "o.parquet", "o.avro", "o.arrow"] {
        let value = json!({ "path": name });
        let noise: ArrayRef = Arc::new(StringArray::from_iter_values(
            (0..200_000_u64).map(|at| format!("{:x}", at.wrapping_mul(0x9e37_79b9_7f4a_7c15))),
        ));
        let batch = RecordBatch::try_from_iter([("noise", noise)]).expect("a batch");
        let outcome = runtime.block_on(prepare(&sink(folder, value), &batch.schema(), &[batch.clone(), batch]));
        let error = outcome.expect_err("no room");
        assert_eq!(error.kind(), ErrorKind::External, "{}", error.report());
        assert!(error.report().contains(name), "{}", error.report());
        assert_eq!(names(folder), [""; 0]);
        println!("left nothing of {name}: {}", error.report());
    }
}
