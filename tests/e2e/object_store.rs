//! Checkpoints in a real object store: SeaweedFS, which checks signatures and conditions of writes as S3 does. That jobs
//! survive being killed with it, to the last row, is for the chaos suite.

use std::time::Duration;

use serde_json::Value;
use volley_test_chaos::Seaweed;

use crate::checkpoints::{KEYED, has_completed, kill, start};
use crate::support::{Folder, status_when};

/// All rows that the pipeline makes.
const ROWS: u64 = 24_000;

fn pipeline(store: &Seaweed, place: &str) -> String {
    // A hundred rows to a window, so that most fire before the end.
    let location = format!("\"{}\"", store.url(place));
    KEYED
        .replace("location: checkpoints", &format!("location: {location}"))
        .replace("tumbling: 1h", "tumbling: 100s")
        .replace("rows: 8000", &format!("rows: {ROWS}"))
}

fn folder(store: &Seaweed, place: &str) -> Folder {
    let folder = Folder::with_environment(store.environment());
    folder.write("p.yaml", pipeline(store, place));
    folder
}

/// How many rows are in the windows that are visible; each window must be there once.
fn counted(folder: &Folder) -> u64 {
    let parts = folder.files().into_iter().filter(|name| name.starts_with("out/part-"));
    let text: String = parts.map(|name| folder.read(&name)).collect();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
    let mut windows: Vec<_> =
        rows.iter().map(|row| (row["key"].to_string(), row["window_start"].to_string())).collect();
    windows.sort();
    windows.dedup();
    assert_eq!(windows.len(), rows.len(), "a window came out twice");
    rows.iter().map(|row| row["n"].as_u64().expect("a number")).sum()
}

#[test]
fn a_job_is_killed_looked_at_and_goes_on_elsewhere() {
    let store = Seaweed::start().unwrap_or_else(|stop| panic!("{stop}"));
    let folder = folder(&store, "a/b");
    for parallelism in ["1", "3"] {
        let running = start(&folder, &["-q", "--parallelism", parallelism]);
        kill(&folder, running);
    }
    let list = folder.succeed(&["checkpoints", "list", "p.yaml", "--json"]).json();
    let epochs: Vec<u64> = list["checkpoints"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|entry| entry["state"] == "complete")
        .map(|entry| entry["epoch"].as_u64().expect("a number"))
        .collect();
    assert!(epochs.len() >= 2 && epochs.is_sorted_by(|a, b| a > b), "{list}");
    let shown = folder.succeed(&["checkpoints", "inspect", "p.yaml"]);
    assert!(
        shown.text().contains(&format!("checkpoint {} of {}/keyed", epochs[0], store.url("a/b"))),
        "{}",
        shown.text()
    );
    // State is copied from the store, and looked at.
    let state = folder.succeed(&["state", "p.yaml", "totals", "--json"]);
    let rows: Vec<Value> = state.text().lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["n_count"].as_u64() > Some(0)), "{rows:?}");
    // A copy in the store, from a job that runs.
    let running = start(&folder, &["-q"]);
    status_when(&folder, |status| has_completed(status, 1));
    let savepoint = store.url("saved");
    folder.succeed(&["savepoint", "job", &savepoint]);
    running.finish().says("the run", 0, &[]);
    assert_eq!(counted(&folder), ROWS);
    // All that is kept now is of the start that nobody killed.
    let whole = folder.succeed(&["checkpoints", "verify", "p.yaml"]);
    assert!(
        whole.text().lines().count() >= 3 && whole.text().lines().all(|line| line.ends_with(": whole")),
        "{}",
        whole.text()
    );
    let saved = folder.succeed(&["savepoint", "verify", &savepoint]);
    assert!(saved.text().contains("whole"), "{}", saved.text());
    folder.run(&["run", "p.yaml"]).says("once more", 2, &["has finished"]);
    // An object that somebody has removed.
    let newest = list_epochs(&folder)[0];
    assert!(store.remove(&format!("a/b/keyed/epochs/{newest}/manifest.json")));
    let outcome = folder.run(&["checkpoints", "verify", "p.yaml", &newest.to_string()]);
    assert!(outcome.text().contains("manifest.json"), "{}{}", outcome.text(), outcome.stderr);
}

fn list_epochs(folder: &Folder) -> Vec<u64> {
    let list = folder.succeed(&["checkpoints", "list", "p.yaml", "--json"]).json();
    let entries = list["checkpoints"].as_array().expect("a list").iter();
    entries.map(|entry| entry["epoch"].as_u64().expect("a number")).collect()
}

#[test]
fn a_second_start_takes_over_and_the_first_commits_nothing_more() {
    let store = Seaweed::start().unwrap_or_else(|stop| panic!("{stop}"));
    let folder = folder(&store, "twins");
    let first = start(&folder, &["-q"]);
    status_when(&folder, |status| has_completed(status, 2));
    let second = folder.run(&["run", "p.yaml", "-q", "--folder", "other"]);
    second.says("the second", 0, &[]);
    first.finish().says("the first", 5, &["has taken over"]);
    assert_eq!(counted(&folder), ROWS);
}

#[test]
fn a_store_that_is_away_fails_the_job_after_so_many_checkpoints_and_the_next_start_goes_on() {
    let mut store = Seaweed::start().unwrap_or_else(|stop| panic!("{stop}"));
    let folder = folder(&store, "away");
    let impatient = "checkpoint: { timeout: 300ms, tolerable_failures: 1,";
    folder.write(
        "p.yaml",
        pipeline(&store, "away").replace("checkpoint: {", impatient).replace("rate: 4000", "rate: 1000"),
    );
    let running = start(&folder, &["-q"]);
    status_when(&folder, |status| has_completed(status, 2));
    store.kill().unwrap_or_else(|stop| panic!("{stop}"));
    running.finish().says("without a store", 5, &["checkpoint"]);
    let began = std::time::Instant::now();
    folder.run(&["checkpoints", "list", "p.yaml"]).says("without a store", 5, &[&store.url("away"), "cannot list"]);
    assert!(began.elapsed() < Duration::from_secs(60), "nobody waits so long for an answer: {:?}", began.elapsed());
    store.start_again().unwrap_or_else(|stop| panic!("{stop}"));
    folder.write("p.yaml", pipeline(&store, "away"));
    folder.succeed(&["run", "p.yaml", "-q"]);
    assert_eq!(counted(&folder), ROWS);
}

#[test]
fn wrong_keys_and_places_are_named() {
    let store = Seaweed::start().unwrap_or_else(|stop| panic!("{stop}"));
    let with = |name: &str, value: &str| {
        let mut environment = store.environment();
        environment.push((name.to_owned(), value.to_owned()));
        let folder = Folder::with_environment(environment);
        folder.write("p.yaml", pipeline(&store, "keys"));
        folder
    };
    let place = store.url("keys");
    let wrong = [
        ("AWS_SECRET_ACCESS_KEY", "wrong", "SignatureDoesNotMatch", "the keys come from the variables AWS_"),
        ("AWS_ACCESS_KEY_ID", "nobody", "InvalidAccessKeyId", "the keys come from the variables AWS_"),
        ("AWS_ALLOW_HTTP", "false", "cannot list", "AWS_ALLOW_HTTP=true"),
    ];
    for (name, value, says, advises) in wrong {
        let folder = with(name, value);
        for command in [&["run", "p.yaml"][..], &["checkpoints", "list", "p.yaml"]] {
            let outcome = folder.run(command);
            outcome.says(name, 5, &[&place, says, advises]);
            assert!(!outcome.stderr.contains("volley-secret"), "{}", outcome.stderr);
        }
    }
    let elsewhere = with("AWS_REGION", "us-east-1");
    elsewhere.write("p.yaml", pipeline(&store, "keys").replace("s3://volley/", "s3://nowhere/"));
    elsewhere.run(&["checkpoints", "list", "p.yaml"]).says("no bucket", 5, &["s3://nowhere/keys", "NoSuchBucket"]);
    let mut unfit = with("AWS_REGION", "us-east-1");
    unfit.write("p.yaml", pipeline(&store, "keys").replace("sources:", "state: { backend: rocksdb }\nsources:"));
    if cfg!(feature = "rocksdb") {
        unfit.run(&["run", "p.yaml"]).says("no folder", 2, &["add `state: { location: ./state }`"]);
    }
    unfit = with("AWS_ENDPOINT", "http://127.0.0.1:1");
    unfit.run(&["checkpoints", "list", "p.yaml"]).says("nobody there", 5, &["127.0.0.1:1", "error sending request"]);
}
