//! Checkpoints of state in RocksDB, in hosts that have it: shared files, other parallelism, a folder that is in use.

use serde_json::Value;

use crate::checkpoints::{KEYED, assert_whole, has_completed, ids, kill, start};
use crate::support::{Folder, status_when};

fn pipeline() -> String {
    // A hundred rows to a window, so that most fire before the end.
    KEYED
        .replace("checkpoint:", "state: { backend: rocksdb }\ncheckpoint:")
        .replace("tumbling: 1h", "tumbling: 100s")
        .replace("rows: 8000", "rows: 16000")
}

#[test]
fn a_killed_job_goes_on_with_other_parallelism() {
    let folder = Folder::new();
    folder.write("p.yaml", pipeline());
    for parallelism in ["1", "3"] {
        let running = start(&folder, &["-q", "--parallelism", parallelism]);
        kill(&folder, running);
    }
    folder.succeed(&["checkpoints", "verify", "p.yaml"]);
    folder.succeed(&["run", "p.yaml", "-q", "--parallelism", "2"]);
    let parts = folder.files().into_iter().filter(|name| name.starts_with("out/part-"));
    let text: String = parts.map(|name| folder.read(&name)).collect();
    let counted = |line| serde_json::from_str::<Value>(line).expect("a row")["n"].as_u64().expect("a number");
    assert_eq!(text.lines().map(counted).sum::<u64>(), 16_000, "each row is in one window, once");
}

#[test]
fn a_state_folder_in_use_is_refused_and_the_job_goes_on() {
    let folder = Folder::new();
    folder.write("p.yaml", pipeline());
    let running = start(&folder, &["-q"]);
    status_when(&folder, |status| has_completed(status, 1));
    folder.run(&["run", "p.yaml"]).says("in use", 2, &["state/keyed/rocksdb", "another"]);
    // Who is refused has not taken the job over.
    let status = status_when(&folder, |status| has_completed(status, 2));
    assert_eq!(status["phase"], "running", "{status}");
    folder.succeed(&["stop", "job"]);
    running.finish().says("the first", 130, &["stopped at checkpoint "]);
}

/// The store lasts as long as the process, in which the job fails and is started again.
#[test]
fn files_of_remote_checkpoints_stay_no_longer_than_they_are_needed() {
    let folder = Folder::new();
    let rows = |from: usize| format!("id\n{}", (from..from + 600).map(|id| format!("{id}\n")).collect::<String>());
    folder.write("in/a.csv", rows(0));
    let second = folder.write("in/b.csv", rows(600));
    folder.write("state/p/restored/3/shared=2F000012.sst.7", "of a host that was killed");
    folder.write(
        "p.yaml",
        "name: p\ncheckpoint: { interval: 50ms, location: \"memory:/e2e\" }\nstate: { backend: rocksdb, location: state }\n\
         restart: { strategy: fixed_delay, attempts: 100, delay: 100ms }\n\
         sources: { in: { file: { path: in/*.csv, rate: 400, schema: { id: int64 } } } }\n\
         operators: { counted: { from: in, key_by: id, window: { count: 1 }, aggregate: { n: count(*) } } }\n\
         sinks: { out: { from: counted, file: { path: out/, format: jsonl } } }\n",
    );
    let running = start(&folder, &["--json"]);
    status_when(&folder, |status| has_completed(status, 2));
    let left = || folder.files().into_iter().filter(|name| name.starts_with("state/p/restored")).collect::<Vec<_>>();
    assert_eq!(left(), [""; 0], "what others left is gone");
    std::fs::rename(&second, folder.path("b.csv")).expect("it is not open yet");
    running.hear("the job failed: restart 1 of 100");
    std::fs::rename(folder.path("b.csv"), &second).expect("one file system");
    running.finish().says("restarted", 0, &["going on from checkpoint ", "memory:/e2e"]);
    assert_eq!(left(), [""; 0], "what was restored from is gone");
    assert_whole(&ids(&folder, "out"), 1_200);
}
