//! A running job seen and stopped from outside: `run --folder`, `status`, `stop`, and the socket between them.

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use serde_json::{Value, json};

use crate::support::{Folder, Running, status_when};

/// A source that never ends, into a file that is visible when the job has committed.
const ENDLESS: &str = "name: endless\nsources: { made: { generate: { rate: 5000, columns: { id: n } } } }\n\
                       sinks: { kept: { from: made, file: { path: kept.jsonl } } }\n";

/// What a job answers to some bytes.
fn answer(folder: &Folder, bytes: &[u8]) -> Value {
    let mut stream = UnixStream::connect(folder.path("job/control.sock")).expect("the job listens");
    stream.write_all(bytes).expect("it reads");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("an answer");
    serde_json::from_str(&line).expect("JSON")
}

fn start(folder: &Folder) -> Running {
    folder.write("p.yaml", ENDLESS);
    let running = Running::start(&mut folder.host(&["run", "p.yaml", "-q", "--folder", "job"]));
    status_when(folder, |status| status["nodes"][1]["rows_in"].as_u64() > Some(0));
    running
}

#[test]
fn a_job_is_seen_and_drained() {
    let folder = Folder::new();
    let running = start(&folder);
    let mode = |name: &str| std::fs::metadata(folder.path(name)).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode("job"), mode("job/control.sock")), (0o700, 0o600));
    let status = status_when(&folder, |status| status["phase"] == "running");
    assert_eq!((&status["job"], &status["starts"]), (&"endless".into(), &1.into()), "{status}");
    let table = folder.succeed(&["status", "job"]);
    for part in ["endless: running, ", "│ made ", "│ kept ", "rows in", "queue"] {
        assert!(table.text().contains(part), "no {part} in {}", table.text());
    }
    // The folder has its job: a second one is not let in, and the first is not disturbed.
    let second = folder.run(&["run", "p.yaml", "-q", "--folder", "job"]);
    second.says("second", 2, &["another job runs in the folder job", "volley-host status job"]);
    let stopped = folder.succeed(&["stop", "job", "--drain"]);
    assert_eq!(stopped.text(), "stopping: what has been read is processed and committed\n");
    running.finish().says("drained", 0, &["stopping"]);
    assert!(folder.read("kept.jsonl").lines().count() > 0);
    assert_eq!(folder.files(), ["kept.jsonl", "p.yaml"], "the socket goes with the job");
    folder.run(&["status", "job"]).says("gone", 5, &["no job runs in job", "run PIPELINE --folder job"]);
    folder.run(&["stop", "job"]).says("gone", 5, &["no job runs in job"]);
}

#[test]
fn a_job_that_is_broken_off_leaves_nothing() {
    let folder = Folder::new();
    let running = start(&folder);
    let stopped = folder.succeed(&["stop", "job", "--json"]).json();
    assert_eq!(stopped, json!({ "stopping": true, "drain": false }));
    running.finish().says("broken off", 130, &["breaking off", "nothing was committed"]);
    assert_eq!(folder.files(), ["p.yaml"]);
}

#[test]
fn windows_that_wait_are_put_out_when_the_job_drains() {
    let folder = Folder::new();
    folder.write("in.csv", "at,key\n2024-05-01T01:00:00Z,a\n2024-05-01T02:00:00Z,a\n2024-05-01T02:30:00Z,a\n");
    folder.write(
        "p.yaml",
        "name: windows
watermark_interval: 1ms
sources:
  in:
    file: { path: in.csv, follow: true, follow_interval_ms: 5 }
    event_time: { column: at, max_out_of_orderness: 0s }
operators:
  hourly: { from: in, key_by: key, window: { tumbling: 1h }, aggregate: { n: count(*) } }
sinks: { out: { from: hourly, file: { path: out.csv } } }
",
    );
    let running = Running::start(&mut folder.host(&["run", "p.yaml", "-q", "--folder", "job"]));
    let hourly = |status: &Value| status["nodes"][1].clone();
    let status = status_when(&folder, |status| hourly(status)["rows_out"] == 1);
    assert_eq!(hourly(&status)["windows_pending"], 1, "{status}");
    let lags = hourly(&status)["watermark_ms"].as_i64() < status["now_ms"].as_i64();
    assert!(lags, "{status}");
    assert!(folder.succeed(&["status", "job"]).text().contains("pending"));
    folder.succeed(&["stop", "job", "--drain"]);
    running.finish().says("windows", 0, &[]);
    let out = folder.read("out.csv");
    assert_eq!(out.lines().filter(|line| line.starts_with("a,")).count(), 2, "{out}");
}

#[test]
fn the_socket_of_a_killed_job_is_replaced() {
    let folder = Folder::new();
    let running = start(&folder);
    running.signal("KILL");
    assert_eq!(running.finish().code, None);
    assert!(folder.path("job/control.sock").exists());
    folder.run(&["status", "job"]).says("killed", 5, &["no job runs in job"]);
    let running = start(&folder);
    folder.succeed(&["stop", "job"]);
    running.finish().says("again", 130, &[]);
}

#[test]
fn folders_that_will_not_do_are_refused_before_anything_is_written() {
    let folder = Folder::new();
    folder.write("p.yaml", ENDLESS);
    let refused = |job: &str, code: i32, parts: &[&str]| {
        folder.run(&["run", "p.yaml", "-q", "--folder", job]).says(job, code, parts);
    };
    std::fs::create_dir(folder.path("open")).expect("a folder");
    std::fs::set_permissions(folder.path("open"), Permissions::from_mode(0o750)).expect("its owner's");
    refused("open", 2, &["open is open to others (mode 750)", "chmod 700 open"]);
    folder.write("taken/control.sock", "somebody's");
    std::fs::set_permissions(folder.path("taken"), Permissions::from_mode(0o700)).expect("its owner's");
    refused("taken", 2, &["taken/control.sock is no socket, and is not replaced"]);
    assert_eq!(folder.read("taken/control.sock"), "somebody's");
    // Another program's socket, though nothing locks the folder.
    std::fs::remove_file(folder.path("taken/control.sock")).expect("it is there");
    let other = UnixListener::bind(folder.path("taken/control.sock")).expect("a short path");
    refused("taken", 2, &["another job runs in the folder taken"]);
    drop(other);
    refused(&"x".repeat(120), 2, &["the limit of the system is 103", "choose a shorter one"]);
    refused("p.yaml", 5, &["cannot use the folder p.yaml"]);
    assert_eq!(folder.files(), ["p.yaml", "taken/control.sock"]);
}

#[test]
fn what_is_no_request_is_refused_and_the_job_goes_on() {
    let folder = Folder::new();
    let running = start(&folder);
    let long = vec![b' '; 1 << 20];
    for (request, words) in [
        (&b"stop\n"[..], "no request"),
        (b"{\"version\":3,\"command\":\"status\"}\n", "versions 1 to 2"),
        (b"{\"version\":1,\"command\":\"explode\"}\n", "explode"),
        (b"\xff\n", "no text"),
        (b"{\"version\":1,\"command\":\"stop\"}\n", "drain"),
        (&long[..4096], "more than 4096 bytes"),
    ] {
        let answer = answer(&folder, request);
        assert_eq!(answer["version"], 1, "{answer}");
        assert!(answer["refused"].as_str().is_some_and(|refused| refused.contains(words)), "{words}: {answer}");
    }
    // Whoever goes away in the middle, or never asks, holds nobody up.
    drop(UnixStream::connect(folder.path("job/control.sock")).expect("the job listens"));
    let _silent = UnixStream::connect(folder.path("job/control.sock")).expect("the job listens");
    let status = answer(&folder, b"{\"version\":1,\"command\":\"status\"}\n");
    assert_eq!(status["status"]["phase"], "running", "{status}");
    let stopping = answer(&folder, b"{\"version\":1,\"command\":\"stop\",\"drain\":true}\n");
    assert_eq!(stopping, json!({ "version": 1, "stopping": { "drain": true } }));
    running.finish().says("goes on", 0, &[]);
}

/// A folder that exists, with files of others in it, will do as long as it is closed.
#[test]
fn a_folder_may_hold_other_things() {
    let folder = Folder::new();
    folder.write("job/notes.txt", "mine");
    std::fs::set_permissions(folder.path("job"), Permissions::from_mode(0o700)).expect("its owner's");
    let running = start(&folder);
    folder.succeed(&["stop", "job", "--drain"]);
    running.finish().says("others", 0, &[]);
    assert_eq!(folder.files(), ["job/notes.txt", "kept.jsonl", "p.yaml"]);
}
