//! `restart:`: a job that fails for a reason that may pass is started again, while nothing of it was visible.

use serde_json::Value;

use crate::support::{Folder, Running, eventually};

/// Reads a file, or several, into a file.
fn pipeline(path: &str, restart: &str) -> String {
    format!(
        "name: p\nrestart: {restart}\nsources: {{ in: {{ file: {{ path: {path}, format: csv, rate: 200 }} }} }}\n\
         sinks: {{ out: {{ from: in, file: {{ path: out.csv }} }} }}\n"
    )
}

/// Rows that take a second and more at the rate of the pipeline.
fn rows(from: usize) -> String {
    let rows: String = (from..from + 300).map(|id| format!("{id}\n")).collect();
    format!("id\n{rows}")
}

/// Two files of which the second goes away while the first is read: the job fails in the middle.
fn loses_a_file(restart: &str) -> (Folder, Running) {
    let folder = Folder::new();
    folder.write("p.yaml", pipeline("in/*.csv", restart));
    folder.write("in/a.csv", rows(0));
    let second = folder.write("in/b.csv", rows(300));
    let running = Running::start(&mut folder.host(&["run", "p.yaml", "-q", "--folder", "job", "--json"]));
    let started = eventually(|| {
        let status = folder.run(&["status", "job", "--json"]);
        status.code == Some(0) && status.json()["nodes"][0]["rows_out"].as_u64() > Some(0)
    });
    assert!(started, "rows move");
    std::fs::remove_file(second).expect("it is not open yet");
    (folder, running)
}

#[test]
fn a_file_that_comes_later_is_waited_for() {
    let folder = Folder::new();
    folder.write("p.yaml", pipeline("late.csv", "{ strategy: fixed_delay, attempts: 1000, delay: 50ms }"));
    let running = Running::start(&mut folder.host(&["run", "p.yaml", "-q"]));
    running.hear("restart 2 of 1000 in 50ms");
    folder.write("new.csv", "id\n1\n2\n");
    std::fs::rename(folder.path("new.csv"), folder.path("late.csv")).expect("one file system");
    running.finish().says("late", 0, &["the job failed: restart 1 of 1000 in 50ms", "late.csv: no such file"]);
    assert_eq!(folder.read("out.csv"), "id\n1\n2\n");
}

#[test]
fn a_job_that_fails_in_the_middle_starts_from_the_beginning() {
    let (folder, running) = loses_a_file("{ strategy: exponential, delay: 10ms }");
    let outcome = running.finish();
    outcome.says("middle", 0, &["restart 1 of 3 in 10ms", "b.csv"]);
    assert_eq!(folder.read("out.csv"), rows(0), "each row once");
    assert_eq!(outcome.json()["rows_in"], 300, "counted from the last start");
    assert_eq!(folder.files(), ["in/a.csv", "out.csv", "p.yaml"], "the first start left nothing");
}

#[test]
fn whoever_stops_a_job_that_waits_ends_it() {
    let (folder, running) = loses_a_file("{ strategy: fixed_delay, delay: 1h }");
    running.hear("restart 1 of 3 in 3600s");
    let status: Value = folder.succeed(&["status", "job", "--json"]).json();
    assert_eq!((&status["phase"], &status["starts"]), (&"waiting".into(), &1.into()), "{status}");
    folder.succeed(&["stop", "job", "--drain"]);
    running.finish().says("stopped", 130, &["stopped before it was started again: nothing was committed", "b.csv"]);
    assert_eq!(folder.files(), ["in/a.csv", "p.yaml"]);
}

#[test]
fn restarts_end_and_other_failures_have_none() {
    let folder = Folder::new();
    folder.write("p.yaml", pipeline("none.csv", "{ strategy: exponential, attempts: 2, delay: 1ms }"));
    let outcome = folder.run(&["run", "p.yaml", "-q"]);
    outcome.says("spent", 5, &["restart 1 of 2 in 1ms", "restart 2 of 2 in 2ms", "error: "]);
    // Without a policy, and for a reason that stays.
    folder.write("p.yaml", pipeline("none.csv", "{ strategy: none }"));
    let outcome = folder.run(&["run", "p.yaml", "-q"]);
    outcome.says("none", 5, &["none.csv: no such file"]);
    assert!(!outcome.stderr.contains("restart "), "{}", outcome.stderr);
    folder.write("bad.csv", "id\n1\n2,3\n");
    folder.write("p.yaml", pipeline("bad.csv", "{ strategy: fixed_delay, delay: 1ms }"));
    let outcome = folder.run(&["run", "p.yaml", "-q"]);
    outcome.says("bad", 3, &["bad.csv line 3"]);
    assert!(!outcome.stderr.contains("restart "), "{}", outcome.stderr);
}

/// Rows that go nowhere do not appear again.
#[test]
fn what_is_dropped_may_be_dropped_again() {
    let folder = Folder::new();
    folder.write("in.csv", "id\n1\n");
    let text = pipeline("in.csv", "{ strategy: fixed_delay }");
    folder.write("p.yaml", text.replace("file: { path: out.csv }", "discard: {}"));
    folder.succeed(&["run", "p.yaml", "-q"]);
}

#[test]
fn streams_cannot_be_restarted() {
    let folder = Folder::new();
    let restart = "{ strategy: fixed_delay }";
    let made = std::process::Command::new("mkfifo").arg(folder.path("named")).status().expect("a program of POSIX");
    assert!(made.success());
    folder.write("in.csv", "id\n1\n");
    let named = pipeline("in.csv", restart).replace("out.csv", "named, format: csv");
    let sink = pipeline("in.csv", restart).replace("out.csv", "\"-\"");
    for (text, parts) in [
        (pipeline("\"-\"", restart), ["`in` reads a stream", "cannot be read again"]),
        (sink, ["`out` writes to a stream", "would appear again"]),
        (named, ["`out` writes to a stream", "would appear again"]),
    ] {
        folder.write("p.yaml", text);
        folder.run(&["run", "p.yaml"]).says("streams", 2, &parts);
        folder.run(&["validate", "p.yaml"]).says("streams", 2, &["p.yaml:2:22: restart.strategy", parts[0]]);
    }
}
