//! Damaged checkpoints whose output is visible: they are rebuilt by reading again, and what cannot be rebuilt is refused.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::checkpoints::{KEYED, assert_whole, has_completed, ids, start};
use crate::support::{Folder, status_when};

const ROWS: usize = 8_000;

/// Windows of a hundred rows, and the rows themselves, of which every checkpoint commits some.
fn pipeline() -> String {
    KEYED
        .replace("tumbling: 1h", "tumbling: 100s")
        .replace("interval: 50ms", "interval: 300ms")
        .replace("sinks: {", "sinks: { raw: { from: made, file: { path: raw/, format: jsonl } },")
}

/// A job that was stopped at a checkpoint, with output behind it.
fn stopped(pipeline: &str, more: &[&str]) -> Folder {
    let folder = Folder::new();
    folder.write("p.yaml", pipeline);
    run_and_stop(&folder, more);
    folder
}

/// Stops a job behind a few checkpoints, when some rows have come since.
fn run_and_stop(folder: &Folder, more: &[&str]) {
    let running = start(folder, &[&["-q"], more].concat());
    status_when(folder, |status| has_completed(status, 3));
    std::thread::sleep(Duration::from_millis(200));
    folder.succeed(&["stop", "job"]);
    running.finish().says("stopped", 130, &["stopped at checkpoint "]);
}

fn inspected(folder: &Folder, epoch: &str) -> Value {
    folder.succeed(&["checkpoints", "inspect", "p.yaml", epoch, "--json"]).json()
}

/// Where the files of a checkpoint's states lie; those that no other checkpoint has.
fn own_files(folder: &Folder, epoch: u64) -> Vec<PathBuf> {
    let manifest = inspected(folder, &epoch.to_string());
    let operators = manifest["operators"].as_object().expect("operators").values();
    let states = operators.flat_map(|operator| operator["keyed"].as_object()).flat_map(|states| states.values());
    let parts = states.flat_map(|parts| parts.as_array().expect("parts"));
    let files = parts.flat_map(|part| part["files"].as_array().expect("files"));
    let paths = files.map(|file| file["path"].as_str().expect("a path"));
    let own = |path: &&str| path.contains(&format!("/{epoch}/")) || path.ends_with(&format!(".{epoch}"));
    paths.filter(own).map(|path| folder.path(&format!("checkpoints/keyed/{path}"))).collect()
}

/// Changes one bit, of a file that others may be linked to.
fn flip(path: &PathBuf) {
    let mut bytes = std::fs::read(path).expect("a file");
    let middle = bytes.len() / 2;
    let Some(byte) = bytes.get_mut(middle) else { return };
    *byte ^= 1;
    std::fs::remove_file(path).expect("it is there");
    std::fs::write(path, &bytes).expect("a disk");
}

/// Changes a bit of each file of state that the newest checkpoint alone has.
fn damage_newest(folder: &Folder) {
    let newest = inspected(folder, "newest")["epoch"].as_u64().expect("a number");
    own_files(folder, newest).iter().for_each(flip);
}

/// Fails unless every row was put out once, and is counted in one window, once.
fn assert_exact(folder: &Folder) {
    assert_whole(&ids(folder, "raw"), ROWS);
    let parts = folder.files().into_iter().filter(|name| name.starts_with("out/part-"));
    let text: String = parts.map(|name| folder.read(&name)).collect();
    let (mut windows, mut counted) = (BTreeSet::new(), 0);
    for line in text.lines() {
        let mut row: Value = serde_json::from_str(line).expect("a row");
        counted += row["n"].take().as_u64().expect("a number");
        assert!(windows.insert(row.to_string()), "window {row} was put out twice");
    }
    assert_eq!(counted, ROWS as u64, "rows in windows");
}

fn rebuilds(backend: &str, parallelism: &str, damaged: u64) {
    let pipeline = pipeline().replace("checkpoint:", &format!("state: {{ backend: {backend} }}\ncheckpoint:"));
    let folder = stopped(&pipeline, &["--parallelism", "2"]);
    let newest = inspected(&folder, "newest")["epoch"].as_u64().expect("a number");
    for epoch in (newest + 1 - damaged)..=newest {
        let files = own_files(&folder, epoch);
        assert!(!files.is_empty(), "{epoch} has files of its own");
        // Of state on disk the files that were linked into it, too.
        let has_shared = files.iter().any(|path| path.to_string_lossy().contains("/shared/"));
        assert_eq!(has_shared, backend == "rocksdb", "{files:?}");
        files.iter().for_each(flip);
    }
    let outcome = folder.succeed(&["run", "p.yaml", "--parallelism", parallelism]);
    let base = newest - damaged;
    for part in [
        format!("checkpoint {newest} is damaged"),
        format!("rebuilt from checkpoint {base}"),
        format!("going on from checkpoint {}", newest + 1),
    ] {
        assert!(outcome.stderr.contains(&part), "no `{part}` in {}", outcome.stderr);
    }
    assert_exact(&folder);
}

#[test]
fn a_damaged_checkpoint_in_memory_is_rebuilt() {
    rebuilds("memory", "2", 1);
}

#[test]
fn a_damaged_checkpoint_on_disk_is_rebuilt_with_other_parallelism() {
    rebuilds("rocksdb", "3", 1);
}

#[test]
fn of_two_damaged_checkpoints_the_later_is_rebuilt() {
    rebuilds("memory", "1", 2);
}

#[test]
fn what_cannot_be_rebuilt_is_refused_and_nothing_is_lost() {
    let folder = stopped(&pipeline(), &[]);
    damage_newest(&folder);
    // Another pipeline would make other state of the rows.
    folder.write(
        "p.yaml",
        pipeline()
            .replace("from: totals, file", "from: fewer, file")
            .replace("operators:\n", "operators:\n  fewer: { from: totals, filter: \"n > 0\" }\n"),
    );
    folder.run(&["run", "p.yaml"]).says(
        "changed",
        5,
        &["`fewer` was not the same in it and in this run", "--accept-duplicates"],
    );
    // Back as it was, it goes on.
    folder.write("p.yaml", pipeline());
    folder.succeed(&["run", "p.yaml", "-q"]);
    assert_exact(&folder);
}

/// Without its manifests it looks like one that was never complete; the output tells.
#[test]
fn a_checkpoint_that_is_gone_is_missed_by_its_output() {
    let folder = stopped(&pipeline(), &[]);
    let newest = inspected(&folder, "newest")["epoch"].as_u64().expect("a number");
    let manifests = ["manifest.json", "manifest.copy.json"]
        .map(|name| folder.path(&format!("checkpoints/keyed/epochs/{newest}/{name}")));
    let kept = std::fs::read(&manifests[0]).expect("there");
    manifests.iter().for_each(|path| std::fs::remove_file(path).expect("gone"));
    let before = folder.files();
    let parts = [
        "sink `raw` has committed epoch",
        &format!("neither epochs/{newest}/manifest.json nor its copy"),
        "--accept-duplicates",
    ];
    folder.run(&["run", "p.yaml"]).says("without a manifest", 5, &parts);
    assert_eq!(folder.files(), before, "nothing was touched");
    std::fs::write(&manifests[1], kept).expect("put back");
    folder.succeed(&["run", "p.yaml", "-q"]);
    assert_exact(&folder);
}

/// Operators whose state depends on more than which rows came: a checkpoint with visible output is not rebuilt.
#[test]
fn what_depends_on_order_is_not_rebuilt() {
    let windows = "key_by: key, window: { tumbling: 100s }, aggregate: { n: count(*) }";
    for (operator, why) in [
        ("dedupe: { by: key, within: 5s }", "`totals` (dedupe by key within 5s)"),
        ("key_by: key, window: { session: 5s }, aggregate: { n: count(*) }", "depends on more than which they are"),
        ("key_by: key, window: { count: 3 }, aggregate: { n: count(*) }", "depends on more than which they are"),
        ("key_by: key, window: { tumbling: 100s }, aggregate: { n: first(id) }", "depends on more than which they are"),
        (
            "key_by: key, window: { tumbling: 100s, allowed_lateness: 1s }, aggregate: { n: count(*) }",
            "depends on more than which they are",
        ),
    ] {
        let pipeline = pipeline().replace(windows, operator);
        assert!(pipeline.contains(operator), "{pipeline}");
        let folder = stopped(&pipeline, &[]);
        damage_newest(&folder);
        let before = folder.files();
        folder.run(&["run", "p.yaml"]).says(operator, 5, &["it is not rebuilt", why, "--accept-duplicates"]);
        assert_eq!(folder.files(), before, "nothing was touched");
    }
}

#[test]
fn state_of_what_another_state_puts_out_is_not_rebuilt() {
    let behind = "  days: { from: totals, key_by: key, window: { tumbling: 1000s }, aggregate: { n: sum(n) } }\n";
    let pipeline =
        pipeline().replace("sinks:", &format!("{behind}sinks:")).replace("from: totals, file", "from: days, file");
    let folder = stopped(&pipeline, &[]);
    damage_newest(&folder);
    folder.run(&["run", "p.yaml"]).says(
        "days",
        5,
        &["`days` keeps state of what `totals` puts out", "--accept-duplicates"],
    );
}

/// A checkpoint of which nothing is visible is left out for good, with what it had staged.
#[test]
fn what_nobody_has_seen_is_left_out() {
    let pipeline = pipeline().replace("window: { tumbling: 100s }", "window: { session: 5s }");
    // Without a sink that has anything to commit before the end: the session never closes.
    let pipeline = pipeline.replace(" raw: { from: made, file: { path: raw/, format: jsonl } },", "");
    let folder = stopped(&pipeline, &[]);
    damage_newest(&folder);
    let outcome = folder.succeed(&["run", "p.yaml"]);
    assert!(outcome.stderr.contains("Nothing of it is visible"), "{}", outcome.stderr);
    let parts = folder.files().into_iter().filter(|name| name.starts_with("out/part-"));
    let text: String = parts.map(|name| folder.read(&name)).collect();
    let counted = |line| serde_json::from_str::<Value>(line).expect("a row")["n"].as_u64().expect("a number");
    assert_eq!(text.lines().map(counted).sum::<u64>(), ROWS as u64);
    assert!(!folder.files().iter().any(|name| name.contains(".staged-")), "{:?}", folder.files());
}

#[test]
fn a_source_that_has_changed_is_noticed() {
    let (folder, rows) = (Folder::new(), 6_000);
    let lines: String = (0..rows).map(|id| format!("{id},{},{}\n", id % 7, id * 1000)).collect();
    let text = format!("id,key,at\n{lines}");
    folder.write("in.csv", &text);
    let pipeline = "name: keyed
checkpoint: { interval: 300ms, location: checkpoints }
sources:
  made: { file: { path: in.csv, rate: 4000 }, event_time: { column: at, max_out_of_orderness: 1s } }
operators: { first: { from: made, key_by: key, window: { tumbling: 100s }, aggregate: { n: count(*) } } }
sinks: { raw: { from: made, file: { path: raw/, format: jsonl } }, out: { from: first, file: { path: out/, format: jsonl } } }
";
    folder.write("p.yaml", pipeline);
    run_and_stop(&folder, &["--batch-rows", "50"]);
    damage_newest(&folder);
    folder.write("in.csv", text.replace(",3,", ",03,"));
    folder.run(&["run", "p.yaml"]).says("changed", 5, &["rebuilding it failed", "--accept-duplicates"]);
    folder.write("in.csv", &text);
    folder.succeed(&["run", "p.yaml", "-q"]);
    assert_whole(&ids(&folder, "raw"), rows);
}
