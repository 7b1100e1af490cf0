//! Checkpoints of state in RocksDB, in hosts that have it: shared files, other parallelism, a folder that is in use.

use serde_json::Value;

use crate::checkpoints::{KEYED, has_completed, kill, start};
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
