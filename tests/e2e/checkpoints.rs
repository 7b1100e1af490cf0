//! Jobs that take checkpoints: killed, stopped, started again with other parallelism, and from savepoints, they put out each
//! row once. What they put out is read by DuckDB.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Folder, Outcome, Running, eventually, flights, month, python, status_when};

/// Numbers from 0 on, at a rate that leaves time for many checkpoints.
pub(crate) const NUMBERS: &str = "name: numbers
checkpoint: { interval: 50ms, location: checkpoints }
sources: { made: { generate: { rows: 6000, rate: 4000, columns: { id: n } } } }
sinks: { out: { from: made, file: { path: out/, format: jsonl } } }
";
/// How many there are.
pub(crate) const COUNT: usize = 6_000;

/// Windows by key, so that there is state.
pub(crate) const KEYED: &str = "name: keyed
checkpoint: { interval: 50ms, location: checkpoints }
sources:
  made:
    generate: { rows: 8000, rate: 4000, columns: { id: n, key: \"n % 7\", at: \"to_timestamp_millis(n * 1000)\" } }
    event_time: { column: at, max_out_of_orderness: 1s }
operators:
  totals: { from: made, key_by: key, window: { tumbling: 1h }, aggregate: { n: count(*) } }
sinks: { out: { from: totals, file: { path: out/, format: jsonl } } }
";

/// A run that listens in `job`.
pub(crate) fn start(folder: &Folder, more: &[&str]) -> Running {
    Running::start(&mut folder.host(&[&["run", "p.yaml", "--folder", "job"], more].concat()))
}

/// Whether so many checkpoints of the present start are complete.
pub(crate) fn has_completed(status: &Value, checkpoints: u64) -> bool {
    status["checkpoints"]["completed"].as_u64() >= Some(checkpoints)
}

/// Kills a job in the middle, with rows put out by every sink and checkpoints behind it.
pub(crate) fn kill(folder: &Folder, running: Running) {
    kill_with(folder, running, |_| true);
}

/// The same, as soon as the sinks of these names have put out rows.
pub(crate) fn kill_with(folder: &Folder, running: Running, is_awaited: impl Fn(&Value) -> bool) {
    let is_in_the_middle = |status: &Value| {
        let nodes = status["nodes"].as_array().expect("nodes");
        let sinks = nodes.iter().filter(|node| node["role"] == "sink" && is_awaited(&node["name"]));
        let wrote = sinks.clone().count() > 0 && sinks.clone().all(|node| node["rows_in"].as_u64() > Some(0));
        wrote && has_completed(status, 2)
    };
    let was_killed = kill_when(folder, running, is_in_the_middle, Duration::ZERO);
    assert!(was_killed, "it was to be killed in the middle, and has ended before");
}

/// Kills a job a while after its status fulfils a condition; `false` when it has come to its good end before.
pub(crate) fn kill_when(
    folder: &Folder,
    mut running: Running,
    is_in_the_middle: impl Fn(&Value) -> bool,
    pause: Duration,
) -> bool {
    let mut has_ended = false;
    let came = eventually(|| {
        has_ended = running.has_ended();
        let outcome = folder.run(&["status", "job", "--json"]);
        has_ended || outcome.code == Some(0) && is_in_the_middle(&outcome.json())
    });
    assert!(came, "it did not come to where it was to be killed: {:?}", running.finish());
    if !has_ended {
        std::thread::sleep(pause);
        running.signal("KILL");
    }
    let outcome = running.finish();
    assert!(outcome.code.is_none() || is_done(&outcome), "{:?}: {}", outcome.code, outcome.stderr);
    outcome.code.is_none()
}

/// Whether a run has come to the end of its job, or the run before had, whose end came while it was killed.
fn is_done(outcome: &Outcome) -> bool {
    outcome.code == Some(0) || outcome.code == Some(2) && outcome.stderr.contains("has finished")
}

/// Runs a job to its end, to which the last start that was killed may have come already.
pub(crate) fn finish(folder: &Folder, arguments: &[&str]) {
    let outcome = folder.run(&[&["run", "p.yaml", "-q"], arguments].concat());
    assert!(is_done(&outcome), "{:?}: {}", outcome.code, outcome.stderr);
}

/// What the rows of a folder hold under `id`, by the epoch of the file, sorted.
pub(crate) fn ids_by_epoch(folder: &Folder, out: &str) -> BTreeMap<u64, Vec<usize>> {
    let mut ids: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    let start = format!("{out}/part-");
    for name in folder.files().iter().filter(|name| name.starts_with(&start)) {
        let epoch = name.rsplit_once('-').and_then(|(_, end)| end.split_once('.')?.0.parse().ok());
        let of = ids.entry(epoch.unwrap_or_else(|| panic!("no epoch in {name}"))).or_default();
        let row = |line: &str| serde_json::from_str::<Value>(line).expect("a whole row")["id"].as_u64();
        of.extend(folder.read(name).lines().map(|line| row(line).expect("a number") as usize));
    }
    ids
}

/// All of them, sorted.
pub(crate) fn ids(folder: &Folder, out: &str) -> Vec<usize> {
    let mut ids: Vec<usize> = ids_by_epoch(folder, out).into_values().flatten().collect();
    ids.sort_unstable();
    ids
}

/// Fails unless so many rows are there, none of them twice.
fn assert_each_once(ids: &[usize], count: usize) {
    assert_eq!(ids.len(), count, "rows that were read, and rows that are there");
    assert!(ids.is_sorted_by(|a, b| a < b), "a row is there twice");
}

/// Fails unless each row is there, once.
pub(crate) fn assert_whole(ids: &[usize], count: usize) {
    assert!(ids.iter().copied().eq(0..count), "{} of {count} rows, and some twice or not at all", ids.len());
}

/// The mean delay for each carrier and hour, at a rate that leaves time to be killed. `late` rows would be missed, so that
/// there must be none.
fn flights_pipeline(input: &str) -> String {
    format!(
        "name: delays
watermark_interval: 0s
checkpoint: {{ interval: 50ms, location: checkpoints }}
sources:
  flights:
    file: {{ path: \"{input}\", rate: 15000 }}
    event_time: {{ column: time_hour, max_out_of_orderness: 36h }}
operators:
  windows:
    from: flights
    key_by: carrier
    window: {{ tumbling: 1h }}
    aggregate: {{ flights: count(*), mean_delay: avg(dep_delay) }}
sinks: {{ out: {{ from: windows, file: {{ path: out/, format: parquet }} }} }}
"
    )
}

/// Runs to the end and lets DuckDB compare; gives what the last run said.
fn finish_and_compare(folder: &Folder, more: &[&str]) -> Outcome {
    let outcome = folder.succeed(&[&["run", "p.yaml", "--json"], more].concat());
    python("windows.py", &["delays".as_ref(), &month(), &folder.path("out/*.parquet")]);
    outcome
}

#[test]
fn the_month_straight() {
    let folder = Folder::new();
    folder.write("p.yaml", flights_pipeline(&month().display().to_string()).replace(", rate: 15000", ""));
    let outcome = finish_and_compare(&folder, &[]);
    assert!(outcome.json()["checkpoints"]["completed"].as_u64() >= Some(1), "{}", outcome.text());
}

#[test]
fn the_month_killed_twice() {
    let folder = Folder::new();
    folder.write("flights.csv", flights(27_004));
    folder.write("p.yaml", flights_pipeline("flights.csv"));
    for _ in 0..2 {
        let running = start(&folder, &[]);
        kill(&folder, running);
    }
    let outcome = finish_and_compare(&folder, &[]);
    outcome.says("the last", 0, &["going on from checkpoint ", " · the last, "]);
    assert!(outcome.json()["rows_in"].as_u64() < Some(27_004), "it went on: {}", outcome.text());
}

/// A file for each day, so that three readers have something to share.
#[test]
fn the_month_killed_and_rescaled() {
    let folder = Folder::new();
    let text = flights(27_004);
    let (header, rows) = text.split_once('\n').expect("a header");
    for day in 1..=31 {
        let prefix = format!("2013,1,{day},");
        let of_day = rows.split_inclusive('\n').filter(|row| row.starts_with(&prefix));
        folder.write(&format!("days/{day:02}.csv"), format!("{header}\n{}", of_day.collect::<String>()));
    }
    folder.write("p.yaml", flights_pipeline("days/"));
    for parallelism in ["1", "3"] {
        let running = start(&folder, &["--parallelism", parallelism]);
        status_when(&folder, |status| has_completed(status, 3));
        running.signal("KILL");
        assert_eq!(running.finish().code, None, "it was killed before its end");
    }
    finish_and_compare(&folder, &["--parallelism", "2"]).says("the last", 0, &["going on from checkpoint "]);
}

#[test]
fn a_job_that_is_stopped_goes_on() {
    let folder = Folder::new();
    folder.write("p.yaml", NUMBERS);
    let running = start(&folder, &[]);
    status_when(&folder, |status| has_completed(status, 2));
    let stopped = folder.succeed(&["stop", "job"]);
    assert_eq!(stopped.text(), "stopping: one last checkpoint is taken, from which the next run goes on\n");
    let outcome = running.finish();
    outcome.says("stopped", 130, &["stopped at checkpoint ", "the next run goes on from there", "with input left"]);
    let first = ids(&folder, "out");
    assert!(!first.is_empty() && first.len() < COUNT, "{} rows", first.len());
    // Everything that was read is in the last checkpoint: nothing is made again.
    let summary = folder.succeed(&["run", "p.yaml", "-q", "--json"]).json();
    assert_eq!(summary["rows_in"], COUNT - first.len());
    assert_whole(&ids(&folder, "out"), COUNT);
}

#[test]
fn a_signal_takes_a_last_checkpoint() {
    let folder = Folder::new();
    folder.write("p.yaml", NUMBERS.replace("rows: 6000, ", ""));
    let mut read = 0;
    for signal in ["TERM", "INT"] {
        let running = start(&folder, &["-q", "--json"]);
        status_when(&folder, |status| has_completed(status, 1));
        running.signal(signal);
        // The source has no end, so that nothing is missing.
        let outcome = running.finish();
        outcome.says(signal, 0, &["one last checkpoint is taken", "stopped at checkpoint "]);
        let rows_in = outcome.json()["rows_in"].as_u64().expect("a number");
        assert!(rows_in > 0, "{signal}");
        // Each run goes on where the one before had stopped; what was read behind its last barrier is read again.
        read += rows_in as usize;
        let ids = ids(&folder, "out");
        assert!(ids.len() <= read, "{} rows of {read}", ids.len());
        assert_each_once(&ids, ids.len());
    }
}

/// The second time it is broken off: the next run goes on from the last checkpoint that was complete.
#[test]
fn a_job_that_is_broken_off_goes_on() {
    let folder = Folder::new();
    folder.write("p.yaml", NUMBERS.replace("interval: 50ms", "interval: 300ms"));
    let running = start(&folder, &["-q"]);
    status_when(&folder, |status| has_completed(status, 1));
    running.signal("INT");
    running.signal("INT");
    let outcome = running.finish();
    assert_eq!(outcome.code, Some(130), "{}", outcome.stderr);
    folder.succeed(&["run", "p.yaml", "-q"]);
    assert_whole(&ids(&folder, "out"), COUNT);
}

#[test]
fn a_job_that_is_drained_has_finished() {
    let folder = Folder::new();
    folder.write("p.yaml", NUMBERS);
    let running = start(&folder, &["-q", "--json"]);
    status_when(&folder, |status| has_completed(status, 1));
    folder.succeed(&["stop", "job", "--drain"]);
    let outcome = running.finish();
    outcome.says("drained", 130, &["what has been read is processed and committed"]);
    let drained = ids(&folder, "out");
    assert_each_once(&drained, outcome.json()["rows_in"].as_u64().expect("a number") as usize);
    folder.run(&["run", "p.yaml"]).says("finished", 2, &["job `numbers` has finished", "begin anew with --fresh"]);
    assert_eq!(ids(&folder, "out"), drained);
    // Begun anew, it makes all rows again; the folder is another one, since the old rows stay.
    folder.write("p.yaml", NUMBERS.replace("out/", "anew/"));
    folder.succeed(&["run", "p.yaml", "-q", "--fresh"]);
    assert_whole(&ids(&folder, "anew"), COUNT);
    folder.run(&["run", "p.yaml"]).says("finished again", 2, &["job `numbers` has finished"]);
}

#[test]
fn an_older_checkpoint_can_be_chosen() {
    let folder = Folder::new();
    folder.write("p.yaml", NUMBERS);
    let running = start(&folder, &["-q"]);
    status_when(&folder, |status| has_completed(status, 4));
    folder.succeed(&["stop", "job"]);
    running.finish();
    let list = folder.succeed(&["checkpoints", "list", "p.yaml", "--json"]).json();
    let oldest = list["checkpoints"].as_array().expect("a list").last().expect("three of them")["epoch"].clone();
    let epoch = oldest.as_u64().expect("a number");
    let before: usize = ids_by_epoch(&folder, "out").range(..=epoch).map(|(_, ids)| ids.len()).sum();
    let all = ids(&folder, "out").len();
    assert!(before < all, "{before} of {all} rows");
    let outcome = folder.succeed(&["run", "p.yaml", "--from", &epoch.to_string()]);
    outcome.says("chosen", 0, &[&format!("going on from checkpoint {epoch} of ")]);
    assert_eq!(ids(&folder, "out").len(), COUNT + all - before, "what was put out behind it is put out again");
}

/// The first start fails in the middle: its second file is not there any more, and comes back.
#[test]
fn a_restart_goes_on_from_the_last_checkpoint() {
    let folder = Folder::new();
    let rows = |from: usize| format!("id\n{}", (from..from + 600).map(|id| format!("{id}\n")).collect::<String>());
    folder.write("in/a.csv", rows(0));
    let second = folder.write("in/b.csv", rows(600));
    folder.write(
        "p.yaml",
        "name: p\ncheckpoint: { interval: 50ms, location: checkpoints }\n\
         restart: { strategy: fixed_delay, attempts: 100, delay: 100ms }\n\
         sources: { in: { file: { path: in/*.csv, rate: 1000, schema: { id: int64 } } } }\n\
         sinks: { out: { from: in, file: { path: out/, format: jsonl } } }\n",
    );
    let running = start(&folder, &["--json"]);
    status_when(&folder, |status| has_completed(status, 2));
    std::fs::rename(&second, folder.path("b.csv")).expect("it is not open yet");
    running.hear("the job failed: restart 1 of 100");
    std::fs::rename(folder.path("b.csv"), &second).expect("one file system");
    let outcome = running.finish();
    outcome.says("restarted", 0, &["b.csv", "going on from checkpoint "]);
    assert!(outcome.json()["rows_in"].as_u64() < Some(1200), "counted from the last start: {}", outcome.text());
    assert_whole(&ids(&folder, "out"), 1_200);
}

/// Rows of a savepoint's job before it, and of the job that goes on from it elsewhere, are all rows.
#[test]
fn a_savepoint_goes_on_elsewhere() {
    let folder = Folder::new();
    folder.write("p.yaml", NUMBERS);
    let running = start(&folder, &["-q"]);
    status_when(&folder, |status| has_completed(status, 2));
    let taken = folder.succeed(&["savepoint", "job", "taken", "--json"]).json();
    let epoch = taken["epoch"].as_u64().expect("a number");
    // The job runs on, and what it does then is of another line.
    running.signal("KILL");
    running.finish();
    let elsewhere = Folder::new();
    std::fs::rename(folder.path("taken"), elsewhere.path("moved")).expect("one file system");
    elsewhere.write("p.yaml", NUMBERS);
    let outcome = elsewhere.succeed(&["run", "p.yaml", "--from", "moved"]);
    outcome.says("elsewhere", 0, &["going on from the savepoint ", &format!("moved, checkpoint {epoch}")]);
    let mut all: Vec<usize> = ids_by_epoch(&folder, "out").range(..=epoch).flat_map(|(_, ids)| ids.clone()).collect();
    assert!(!all.is_empty() && all.len() < COUNT, "{} rows before", all.len());
    all.extend(ids(&elsewhere, "out"));
    all.sort_unstable();
    assert_whole(&all, COUNT);
    // The savepoint stays as it was, and the job has checkpoints of its own.
    elsewhere.succeed(&["savepoint", "verify", "moved"]);
    elsewhere.run(&["run", "p.yaml"]).says("finished", 2, &["job `numbers` has finished"]);
}
