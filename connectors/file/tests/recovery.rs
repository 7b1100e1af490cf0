//! The sink of a job that takes checkpoints: what a killed process leaves in a folder, and what the next one makes of it.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use common::{context, names, options, read_all, source};
use serde_json::{Value, json};
use volley_api::{
    CommitStatus, Committable, Epoch, ErrorKind, JobRun, NodeName, Result, Sink, SinkContext, SinkWriter, SubtaskId,
};
use volley_connector_file::FileSink;

fn batch(values: std::ops::Range<i64>) -> RecordBatch {
    let ints: ArrayRef = std::sync::Arc::new(Int64Array::from_iter_values(values));
    RecordBatch::try_from_iter([("a", ints)]).expect("a batch")
}

fn sink(base: &Path) -> FileSink {
    sink_of(base, json!({ "path": "o/", "format": "csv" }))
}

fn sink_of(base: &Path, value: Value) -> FileSink {
    FileSink::new(options(value), base).expect("a sink")
}

fn run(job: &str, incarnation: u64) -> JobRun {
    JobRun { job: job.into(), incarnation }
}

fn node(name: &str) -> NodeName {
    NodeName::new(name).expect("a name")
}

/// The context of a writer of job `flights`.
fn writer_of(incarnation: u64, is_restored: bool) -> SinkContext {
    SinkContext { run: run("flights", incarnation), is_restored, ..context(&batch(0..1).schema(), 0, 1) }
}

async fn prepare(sink: &FileSink, context: SinkContext, epoch: u64) -> Result<Committable> {
    let mut writer = sink.open(context).await?;
    prepare_by(&mut *writer, epoch).await
}

async fn prepare_by(writer: &mut dyn SinkWriter, epoch: u64) -> Result<Committable> {
    writer.write(batch(0..3)).await?;
    Ok(writer.prepare(Epoch(epoch)).await?.expect("rows"))
}

fn folder_names(base: &Path) -> Vec<String> {
    names(&base.join("o"))
}

#[tokio::test]
async fn names_tell_the_job_the_sink_and_the_incarnation() {
    let base = tempfile::tempdir().expect("a temporary folder");
    let sink = sink_of(base.path(), json!({ "path": "o/", "format": "csv", "part_rows_max": 2 }));
    let context = SinkContext { subtask: SubtaskId { index: 4, parallelism: 8 }, ..writer_of(3, false) };
    let mut writer = sink.open(context).await.expect("a writer");
    for epoch in [17, 18] {
        let committable = prepare_by(&mut *writer, epoch).await.expect("prepared");
        let staged = folder_names(base.path());
        let hidden: Vec<_> = staged.iter().filter(|name| name.starts_with('.')).collect();
        assert_eq!(hidden.len(), 2, "{staged:?}");
        assert!(hidden.iter().all(|name| name.starts_with(".part-flights@out@3-4.staged-")), "{staged:?}");
        sink.commit(&committable).await.expect("committed");
    }
    let expected = ["17-1", "17", "18-1", "18"].map(|epoch| format!("part-flights@out@3-4-{epoch}.csv"));
    assert_eq!(folder_names(base.path()), expected);
}

#[tokio::test]
async fn a_job_that_goes_on_writes_where_it_wrote() {
    let base = tempfile::tempdir().expect("a temporary folder");
    let first = sink(base.path());
    first.commit(&prepare(&first, writer_of(1, false), 1).await.expect("prepared")).await.expect("committed");
    let error = prepare(&sink(base.path()), writer_of(2, false), 2).await.expect_err("a job that begins");
    assert!(error.report().contains("o/ holds part-flights@out@1-0-1.csv of an earlier run"), "{}", error.report());
    let second = sink(base.path());
    second.commit(&prepare(&second, writer_of(2, true), 2).await.expect("restored")).await.expect("committed");
    assert_eq!(folder_names(base.path()), ["part-flights@out@1-0-1.csv", "part-flights@out@2-0-2.csv"]);
    let all = read_all(&source(base.path(), json!({ "path": "o" })).expect("a source"), 10).await.expect("rows");
    assert_eq!(all.batch.num_rows(), 6);
}

#[tokio::test]
async fn a_run_gives_way_to_a_later_one_and_to_lost_checkpoints() {
    let base = tempfile::tempdir().expect("a temporary folder");
    let value = json!({ "path": "o/", "format": "csv", "existing": "append" });
    let sink = sink_of(base.path(), value.clone());
    let committable = prepare(&sink, writer_of(5, true), 9).await.expect("prepared");
    for (incarnation, is_restored, is_refused) in
        [(4, true, true), (1, false, true), (5, false, false), (6, true, false)]
    {
        let outcome = sink_of(base.path(), value.clone()).open(writer_of(incarnation, is_restored)).await;
        assert_eq!(outcome.is_err(), is_refused, "incarnation {incarnation}");
        if let Err(error) = outcome {
            assert_eq!(error.kind(), ErrorKind::Config);
            let text = error.to_string();
            assert!(text.contains("of incarnation 5 of job `flights`, and this is incarnation"), "{text}");
        }
    }
    sink.commit(&committable).await.expect("committed");
    // The checkpoints are gone: what is committed as incarnation 5 cannot be of a run that begins as incarnation 5.
    let error = sink_of(base.path(), value.clone()).open(writer_of(5, false)).await.err().expect("refused");
    assert!(error.to_string().contains("if the job's checkpoints are gone, empty the folder"), "{error}");
    let other = SinkContext { run: run("trains", 1), ..writer_of(1, false) };
    assert!(sink_of(base.path(), value).open(other).await.is_ok(), "another job may add to the folder");
    let long = SinkContext { run: run(&"x".repeat(65), 1), ..writer_of(1, false) };
    assert_eq!(sink.open(long).await.err().expect("too long for a name").kind(), ErrorKind::Config);
}

#[tokio::test]
async fn clean_up_takes_hidden_files_of_earlier_runs_and_nothing_else() {
    let base = tempfile::tempdir().expect("a temporary folder");
    sink(base.path()).clean_up(&run("flights", 1), &node("out"), &[]).await.expect("without a folder too");
    let folder = base.path().join("o");
    std::fs::create_dir(&folder).expect("a folder");
    let others = [
        ".part-flights@out@2-0.staged-1-2-3",
        ".part-flights@out@3-0.staged-1-2-3",
        ".part-flights@late@1-0.staged-1-2-3",
        ".part-trains@out@1-0.staged-1-2-3",
        ".part-018bcfe5680-0000000a-0.staged-1-2-3",
        ".part-flights@out@1-0-1.csv.crc",
        "part-flights@out@1-0-1.csv",
        "notes.txt",
    ];
    let own = [
        ".part-flights@out@1-0.staged-1-2-3",
        ".part-flights@out@1-7.staged-9-9-9",
        ".part-flights@out@1-0-1.csv.taken",
    ];
    for name in others.iter().chain(&own) {
        std::fs::write(folder.join(name), "").expect("a file");
    }
    sink(base.path()).clean_up(&run("flights", 2), &node("out"), &[]).await.expect("cleaned up");
    let mut expected = others.map(str::to_owned);
    expected.sort();
    assert_eq!(folder_names(base.path()), expected);
    // A token that cannot be read stops it before it has removed anything.
    let odd = writer_of(1, true).committable(Epoch(1), r#"{"v":1,"files":[]}"#.into());
    let error = sink(base.path()).clean_up(&run("flights", 9), &node("out"), &[odd]).await.expect_err("an old token");
    assert!(error.to_string().contains("has version 1, and this build reads version 2"), "{error}");
    assert_eq!(folder_names(base.path()), expected);
}

#[tokio::test]
async fn what_a_reader_has_taken_away_is_not_guessed_at() {
    let base = tempfile::tempdir().expect("a temporary folder");
    let (part, taken) = ("part-flights@out@1-0-1.csv", ".part-flights@out@1-0-1.csv.taken");
    let first = sink(base.path());
    let committable = prepare(&first, writer_of(1, false), 1).await.expect("prepared");
    first.commit(&committable).await.expect("committed");
    let folder = base.path().join("o");
    std::fs::rename(folder.join(part), base.path().join("elsewhere.csv")).expect("taken away");
    let next = sink(base.path());
    next.clean_up(&run("flights", 2), &node("out"), std::slice::from_ref(&committable)).await.expect("cleaned up");
    for error in [next.lookup(&committable).await.err(), next.commit(&committable).await.err()] {
        let error = error.expect("neither here nor there").to_string();
        assert!(error.contains(&format!("o/ has neither {part} nor its staged file")), "{error}");
        assert!(error.contains(&format!("make an empty file {taken} there")), "{error}");
    }
    std::fs::write(folder.join(taken), "").expect("the user's word");
    next.clean_up(&run("flights", 3), &node("out"), std::slice::from_ref(&committable)).await.expect("cleaned up");
    assert_eq!(next.lookup(&committable).await.expect("an answer"), CommitStatus::Committed);
    next.commit(&committable).await.expect("nothing is left to do");
    next.clean_up(&run("flights", 4), &node("out"), &[]).await.expect("cleaned up");
    assert_eq!(folder_names(base.path()), [""; 0]);
}

#[tokio::test]
async fn a_commit_that_broke_off_is_finished_and_not_aborted() {
    let base = tempfile::tempdir().expect("a temporary folder");
    let value = json!({ "path": "o/", "format": "csv", "part_rows_max": 1 });
    let first = sink_of(base.path(), value.clone());
    let committable = prepare(&first, writer_of(1, false), 1).await.expect("prepared");
    let token: Value = serde_json::from_slice(&committable.token).expect("JSON");
    let folder = base.path().join("o");
    let file = |at: usize, key: &str| folder.join(token["files"][at][key].as_str().expect("a name"));
    std::fs::rename(file(1, "staged"), file(1, "name")).expect("as far as the process came");
    let next = sink_of(base.path(), value);
    assert_eq!(next.lookup(&committable).await.expect("an answer"), CommitStatus::NotCommitted);
    let error = next.abort(&committable).await.expect_err("a part is visible").to_string();
    assert!(error.contains("part-flights@out@1-0-1-1.csv: it is committed already"), "{error}");
    // Nor is it replaced by what somebody else has put in the place of another.
    std::fs::write(file(2, "name"), "a\n7\n").expect("a stranger");
    let error = next.commit(&committable).await.expect_err("a stranger").to_string();
    assert!(error.contains("part-flights@out@1-0-1-2.csv: a file with other contents stands there"), "{error}");
    std::fs::remove_file(file(2, "name")).expect("removed");
    // A copy, as by a backup that was played back while the commit was on its way.
    std::fs::copy(file(2, "staged"), file(2, "name")).expect("copied");
    next.commit(&committable).await.expect("finished");
    let parts = ["1-1", "1-2", "1"].map(|part| format!("part-flights@out@1-0-{part}.csv"));
    assert_eq!(folder_names(base.path()), parts);
    assert!(next.abort(&committable).await.is_err());
    assert_eq!(folder_names(base.path()), parts);
}

#[tokio::test]
async fn a_staged_file_that_somebody_changed_is_not_committed() {
    let base = tempfile::tempdir().expect("a temporary folder");
    let first = sink(base.path());
    let committable = prepare(&first, writer_of(1, false), 1).await.expect("prepared");
    let staged = folder_names(base.path()).remove(0);
    std::fs::write(base.path().join("o").join(&staged), "a\n").expect("cut");
    let error = first.commit(&committable).await.expect_err("cut").to_string();
    assert!(error.contains(&format!("its staged file {staged} has 2 bytes, and 8 were prepared")), "{error}");
    assert_eq!(folder_names(base.path()), [staged]);
}

#[tokio::test]
async fn a_staged_file_whose_bits_have_flipped_is_not_committed_by_the_next_run() {
    let base = tempfile::tempdir().expect("a temporary folder");
    let value = json!({ "path": "o/", "format": "csv", "part_rows_max": 1 });
    let first = sink_of(base.path(), value.clone());
    let committable = prepare(&first, writer_of(1, false), 1).await.expect("prepared");
    let before = folder_names(base.path());
    let staged = base.path().join("o").join(before.last().expect("a staged file"));
    let whole = std::fs::read(&staged).expect("there");
    let mut hurt = whole.clone();
    hurt[2] ^= 1;
    std::fs::write(&staged, hurt).expect("flipped");
    // Another process, and the same one when its job has failed and goes on.
    first.clean_up(&run("flights", 2), &node("out"), std::slice::from_ref(&committable)).await.expect("cleaned up");
    for next in [&sink_of(base.path(), value.clone()), &first] {
        let error = next.commit(&committable).await.expect_err("flipped");
        assert!(error.to_string().contains("has the CRC-32") && !error.is_retryable(), "{error}");
        assert_eq!(folder_names(base.path()), before, "nothing is visible of the others either");
    }
    std::fs::write(&staged, whole).expect("put back");
    first.commit(&committable).await.expect("committed");
    assert!(folder_names(base.path()).iter().all(|name| name.starts_with("part-")));
}

#[test]
fn a_stream_takes_part_in_checkpoints_in_formats_without_an_end() {
    for (format, is_single_epoch) in
        [("csv", false), ("jsonl", false), ("parquet", true), ("avro", true), ("arrow", true)]
    {
        let of = |path: &str| sink_of(Path::new(""), json!({ "path": path, "format": format })).is_single_epoch();
        assert_eq!(of("-"), is_single_epoch, "{format}");
        assert!(of("o.data") && !of("o/"), "{format}");
    }
}

/// Set in the child process of the next test, to the folder to write into.
const CHILD: &str = "VOLLEY_TEST_KILLED";

/// Runs itself in a process that is killed with one epoch prepared, another one prepared and forgotten, and a third open.
#[cfg(unix)]
#[tokio::test]
async fn a_process_that_is_killed_leaves_what_the_next_one_finishes() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return die(Path::new(&folder)).await;
    }
    let base = tempfile::tempdir().expect("a temporary folder");
    let status = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "a_process_that_is_killed_leaves_what_the_next_one_finishes", "--nocapture"])
        .env(CHILD, base.path())
        .stdout(Stdio::null())
        .status()
        .expect("this test");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{status}");
    assert_eq!(folder_names(base.path()).len(), 3, "{:?}", folder_names(base.path()));
    let token = std::fs::read(base.path().join("token")).expect("what a manifest would hold");
    let committable = writer_of(1, false).committable(Epoch(1), token.into());
    let next = sink(base.path());
    next.clean_up(&run("flights", 2), &node("out"), std::slice::from_ref(&committable)).await.expect("cleaned up");
    assert_eq!(folder_names(base.path()).len(), 1, "{:?}", folder_names(base.path()));
    assert_eq!(next.lookup(&committable).await.expect("an answer"), CommitStatus::NotCommitted);
    next.commit(&committable).await.expect("committed");
    assert_eq!(folder_names(base.path()), ["part-flights@out@1-0-1.csv"]);
    let text = std::fs::read_to_string(base.path().join("o/part-flights@out@1-0-1.csv")).expect("text");
    assert_eq!(text, "a\n0\n1\n2\n");
}

#[cfg(unix)]
async fn die(base: &Path) {
    let sink = sink(base);
    let mut writer = sink.open(writer_of(1, false)).await.expect("a writer");
    let committable = prepare_by(&mut *writer, 1).await.expect("prepared");
    std::fs::write(base.join("token"), &committable.token).expect("written");
    prepare_by(&mut *writer, 2).await.expect("prepared");
    writer.write(batch(0..3)).await.expect("written");
    Command::new("kill").args(["-9", &std::process::id().to_string()]).status().expect("kill");
    unreachable!("killed");
}
