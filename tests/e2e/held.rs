//! Plugins that hold state themselves: killed and dealt out anew they go on with it; rows and hooks that trap cost nothing that
//! they did not cost without it; and host-held state of an earlier version is brought over.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use volley_cli::plugin::replay::{ReplayRequest, command};

use crate::checkpoints::{has_completed, kill_with, start};
use crate::support::{Folder, Outcome, Running, eventually, keeper, plugin};

/// Rows of the source.
const ROWS: i64 = 6_000;
/// Keys that they are of.
const KEYS: i64 = 11;
/// So slow that a job can be killed in its middle, however busy the machine is.
const SLOW: &str = ", rate: 1000";
const CHECKPOINTS: &str = "checkpoint: { interval: 50ms, location: checkpoints }\n";

/// One source, whose rows of a key come in order, and a plugin behind it.
fn pipeline(component: &Path, rate: &str, more: &str, config: &str, options: &str) -> String {
    format!(
        "name: held
{more}sources: {{ made: {{ parallelism: 1, file: {{ path: rows.csv{rate} }} }} }}
operators:
  kept:
    from: made
    key_by: key
    plugin: {{ component: \"{}\", config: {{ {config} }}{options} }}
sinks:
  out: {{ from: kept, file: {{ path: out/, format: jsonl }} }}
  dead: {{ from: kept.errors, file: {{ path: dead/, format: jsonl }} }}
",
        component.display()
    )
}

/// Kills a job in the middle; there need be no row for `dead`.
fn kill(folder: &Folder, running: Running) {
    kill_with(folder, running, |sink| sink == "out");
}

fn folder() -> Folder {
    let folder = Folder::new();
    let rows = (0..ROWS).map(|row| format!("{row},{}\n", row % KEYS));
    folder.write("rows.csv", std::iter::once("id,key\n".to_owned()).chain(rows).collect::<String>());
    folder
}

/// What there has to be without the rows of these values: for each row key, count, sum.
fn expected(without: &[i64]) -> Vec<[i64; 3]> {
    let mut known: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    let mut rows = Vec::new();
    for id in (0..ROWS).filter(|id| !without.contains(id)) {
        let (count, sum) = known.entry(id % KEYS).or_default();
        (*count, *sum) = (*count + 1, *sum + id);
        rows.push([id % KEYS, *count, *sum]);
    }
    rows.sort_unstable();
    rows
}

fn rows_in(folder: &Folder, of: &str) -> Vec<Value> {
    let files = folder.files();
    let texts = files.iter().filter(|name| name.starts_with(of)).map(|name| folder.read(name));
    texts
        .flat_map(|text| text.lines().map(|line| serde_json::from_str(line).expect("a whole row")).collect::<Vec<_>>())
        .collect()
}

fn found(folder: &Folder) -> Vec<[i64; 3]> {
    rows_of(folder, "out/part-")
}

fn rows_of(folder: &Folder, of: &str) -> Vec<[i64; 3]> {
    let number = |row: &Value, name: &str| row[name].as_i64().unwrap_or_else(|| panic!("no number `{name}` in {row}"));
    let mut rows: Vec<[i64; 3]> =
        rows_in(folder, of).iter().map(|row| ["key", "count", "sum"].map(|name| number(row, name))).collect();
    rows.sort_unstable();
    rows
}

fn assert_same(found: &[[i64; 3]], expected: &[[i64; 3]]) {
    let differs = found.iter().zip(expected).find(|(found, expected)| found != expected);
    assert_eq!(differs, None, "found, expected");
    assert_eq!(found.len(), expected.len());
}

fn killed_and_rescaled(more: &str, config: &str, options: &str, without: &[i64]) -> Folder {
    let folder = folder();
    let at = |rate| pipeline(&keeper("keeper"), rate, &format!("{CHECKPOINTS}{more}"), config, options);
    folder.write("p.yaml", at(SLOW));
    for parallelism in ["1", "3"] {
        let running = start(&folder, &["--parallelism", parallelism]);
        kill(&folder, running);
    }
    folder.write("p.yaml", at(""));
    folder.succeed(&["run", "p.yaml", "-q", "--parallelism", "2"]);
    assert_same(&found(&folder), &expected(without));
    folder
}

#[test]
fn held_state_follows_its_keys() {
    killed_and_rescaled("", "", "", &[]);
}

/// Which component wrote a checkpoint, and what it declared, is in the manifest.
#[test]
fn a_checkpoint_names_its_component() {
    let folder = with_checkpoint("keeper");
    let manifest = folder.succeed(&["checkpoints", "inspect", "p.yaml", "--json"]).json();
    let layout = manifest["operators"]["kept"]["keyed"]["host-component"][0]["layout"].as_str().expect("a layout");
    assert!(layout.starts_with("component ") && layout.contains("; holds state itself; declared ["), "{layout}");
    assert!(layout.contains("\"sums\"") && layout.contains("\"version\":1"), "{layout}");
}

#[cfg(feature = "rocksdb")]
#[test]
fn the_same_on_disk() {
    killed_and_rescaled("state: { backend: rocksdb, location: state }\n", "", "", &[]);
}

/// Rows after which an instance is in a state that it must not keep are found all the same, and nothing else is lost.
#[test]
fn poison_rows_are_found_whatever_is_held() {
    let poison = 2_500;
    let folder = killed_and_rescaled("", &format!("poison: {poison}"), ", on_error: dead_letter", &[poison]);
    let dead = rows_in(&folder, "dead/part-");
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert_eq!(dead[0]["code"], "plugin-unreachable");
    assert!(dead[0]["row"].as_str().expect("a row").contains("2500"), "{}", dead[0]);
}

#[test]
fn without_a_policy_a_poison_row_stops_the_job_by_name() {
    let folder = folder();
    folder.write("p.yaml", pipeline(&keeper("keeper"), "", "", "poison: 17", ""));
    let outcome = folder.run(&["run", "p.yaml", "-q"]);
    assert_ne!(outcome.code, Some(0));
    assert!(outcome.stderr.contains("a poisoned row"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("\\\"id\\\":17") || outcome.stderr.contains("\"id\":17"), "{}", outcome.stderr);
}

/// The call that failed, kept by the job and made again by the tool.
#[test]
fn a_poison_row_is_kept_and_traps_again_at_the_same_place() {
    let folder = folder();
    folder.write("p.yaml", pipeline(&keeper("keeper"), "", CHECKPOINTS, "poison: 1700", ""));
    let outcome = folder.run(&["run", "p.yaml", "-q", "--repro", "failed"]);
    let kept = folder.path("failed/kept-0-0");
    outcome.says("run", 4, &["a poisoned row", &format!("`volley plugin replay {}` makes it again", kept.display())]);
    assert!(folder.files().iter().any(|name| name == "failed/kept-0-0/input.arrow"), "{:?}", folder.files());
    let again = |request: ReplayRequest| {
        let host = Some(env!("CARGO_BIN_EXE_volley-host").into());
        Running::start(&mut command(&ReplayRequest { bundle: kept.clone(), host, ..request })).finish()
    };
    let outcome = again(ReplayRequest { json: true, ..ReplayRequest::default() });
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let told = outcome.json();
    assert_eq!(
        (&told["same"], &told["operator"], &told["function"]),
        (&true.into(), &"kept".into(), &"process".into())
    );
    assert!(told["before"].as_str().expect("words").starts_with("trap in process: unreachable; at 0x"), "{told}");
    assert!(told["error_now"].as_str().expect("words").contains("a poisoned row"), "{told}");
    let outcome = again(ReplayRequest::default());
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(
        outcome.text().contains("the same happened again") && outcome.text().contains("`kept`"),
        "{}",
        outcome.text()
    );
    // Another component is refused unless it is asked for; this one does not take the configuration.
    let other = || ReplayRequest { component: Some(keeper("keeper-next")), ..ReplayRequest::default() };
    again(other()).says("another component", 2, &["is of the component sha256", "--allow-other"]);
    again(ReplayRequest { allow_other: true, ..other() }).says("it does not open", 2, &["unknown field `poison`"]);
    let nothing = ReplayRequest { bundle: folder.path("failed"), ..ReplayRequest::default() };
    let host = Some(env!("CARGO_BIN_EXE_volley-host").into());
    let outcome = Running::start(&mut command(&ReplayRequest { host, ..nothing })).finish();
    outcome.says("no bundle", 2, &["it has no file `bundle.json`"]);
}

/// A snapshot that traps costs its checkpoint, and no more.
#[test]
fn a_trap_in_snapshot_abandons_the_checkpoint_and_the_job_goes_on() {
    let folder = killed_and_rescaled("", "fail: every-other-snapshot", "", &[]);
    drop(folder);
}

fn fails(config: &str, settings: &str) -> Outcome {
    let folder = folder();
    let checkpoints = format!("checkpoint: {{ interval: 50ms, location: checkpoints{settings} }}\n");
    folder.write("p.yaml", pipeline(&keeper("keeper"), ", rate: 500", &checkpoints, config, ""));
    folder.run(&["run", "p.yaml", "-q"])
}

#[test]
fn snapshots_that_always_fail_or_lie_stop_the_job_and_say_why() {
    let cases = [
        ("snapshot", "no snapshot today"),
        ("refuse", "not today"),
        ("size", "has 1048577 bytes; the limit is 1048576"),
        ("parts", "parts of state; the limit is 65536"),
    ];
    for (fail, words) in cases {
        let outcome = fails(&format!("fail: {fail}"), ", tolerable_failures: 2");
        assert_ne!(outcome.code, Some(0), "{fail}");
        assert!(outcome.stderr.contains(words), "{fail}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("checkpoints in a row have failed"), "{fail}: {}", outcome.stderr);
    }
}

/// State of key groups that another instance has.
#[test]
fn a_snapshot_of_other_key_groups_is_no_snapshot() {
    let folder = folder();
    let checkpoints = "checkpoint: { interval: 50ms, location: checkpoints, tolerable_failures: 0 }\n";
    folder.write("p.yaml", pipeline(&keeper("keeper"), ", rate: 500", checkpoints, "fail: group", ""));
    let outcome = folder.run(&["run", "p.yaml", "-q", "--parallelism", "2"]);
    assert_ne!(outcome.code, Some(0));
    assert!(outcome.stderr.contains("is of key group 255; this instance has 0 to 127"), "{}", outcome.stderr);
}

/// A job with a checkpoint behind it.
fn with_checkpoint(component: &str) -> Folder {
    let folder = folder();
    folder.write("p.yaml", pipeline(&keeper(component), SLOW, CHECKPOINTS, "", ""));
    let running = start(&folder, &[]);
    kill(&folder, running);
    folder
}

#[test]
fn a_restore_that_traps_or_never_ends_is_stopped_by_name() {
    let folder = with_checkpoint("keeper");
    for (fail, words) in [("restore", "nothing is restored today"), ("restore-for-ever", "CPU time")] {
        folder.write("p.yaml", pipeline(&keeper("keeper"), "", CHECKPOINTS, &format!("fail: {fail}"), ""));
        let outcome = folder.run(&["run", "p.yaml", "-q"]);
        assert_ne!(outcome.code, Some(0), "{fail}");
        let error = &outcome.stderr;
        assert!(error.contains(words) && error.contains("`kept` cannot go on from the checkpoint"), "{fail}: {error}");
        assert!(error.contains("version 3") && error.contains("--fresh"), "{fail}: {error}");
    }
    folder.write("p.yaml", pipeline(&keeper("keeper"), "", CHECKPOINTS, "", ""));
    folder.succeed(&["run", "p.yaml", "-q"]);
    assert_same(&found(&folder), &expected(&[]));
}

#[test]
fn state_of_an_earlier_version_is_brought_over() {
    let folder = with_checkpoint("keeper");
    folder.write("p.yaml", pipeline(&keeper("keeper-next"), "", CHECKPOINTS, "", ""));
    folder.succeed(&["run", "p.yaml", "-q", "--parallelism", "3"]);
    // Sums go on where they were; rows from there on say that their sum was brought over.
    let (found, expected) = (found(&folder), expected(&[]));
    let sums = |rows: &[[i64; 3]]| {
        let mut sums: Vec<[i64; 2]> = rows.iter().map(|row| [row[0], row[2]]).collect();
        sums.sort_unstable();
        sums
    };
    assert_eq!(sums(&found), sums(&expected));
    let last = found.iter().filter(|row| {
        row[2] == expected.iter().filter(|other| other[0] == row[0]).map(|row| row[2]).max().unwrap_or_default()
    });
    assert!(last.clone().count() >= 11 && last.clone().all(|row| row[1] == 1), "{:?}", last.collect::<Vec<_>>());
}

/// The same from a savepoint, by a component of another digest.
#[test]
fn another_component_goes_on_from_a_savepoint() {
    let folder = folder();
    folder.write("p.yaml", pipeline(&keeper("keeper"), SLOW, CHECKPOINTS, "", ""));
    let running = start(&folder, &[]);
    let has_rows = eventually(|| {
        let outcome = folder.run(&["status", "job", "--json"]);
        outcome.code == Some(0) && has_completed(&outcome.json(), 2)
    });
    assert!(has_rows, "it comes to checkpoints");
    folder.succeed(&["savepoint", "job", "before"]);
    kill(&folder, running);
    let next =
        pipeline(&keeper("keeper-next"), "", CHECKPOINTS, "", "").replace("out/", "next/").replace("dead/", "gone/");
    folder.write("p.yaml", next);
    folder.succeed(&["run", "p.yaml", "-q", "--from", "before", "--parallelism", "2"]);
    let found = rows_of(&folder, "next/part-");
    let expected = expected(&[]);
    assert!(!found.is_empty() && found.len() < expected.len(), "{} rows", found.len());
    // They are the last of each key, each with the sum that it would have had; and all say that it was brought over.
    let sums: Vec<[i64; 2]> = expected.iter().map(|row| [row[0], row[2]]).collect();
    let missing = found.iter().find(|row| row[1] != 1 || !sums.contains(&[row[0], row[2]]));
    assert_eq!(missing, None, "key, brought over, sum");
    for key in 0..KEYS {
        let last = |rows: &mut dyn Iterator<Item = [i64; 2]>| rows.filter(|row| row[0] == key).map(|row| row[1]).max();
        assert_eq!(last(&mut found.iter().map(|row| [row[0], row[2]])), last(&mut sums.iter().copied()), "key {key}");
    }
}

/// What is usual for a key, learnt in the plugin's own memory, outlives kills and goes with its key.
#[test]
fn anomalies_are_the_same_straight_and_killed_and_rescaled() {
    let pipeline = |rate: &str, more: &str, out: &str| {
        format!(
            "name: anomalies
watermark_interval: 0s
{more}sources:
  made:
    parallelism: 1
    file: {{ path: values.csv{rate} }}
    event_time: {{ column: at, max_out_of_orderness: 0s }}
operators:
  unusual:
    from: made
    key_by: key
    plugin: {{ component: \"{}\", config: {{ column: x, silence_ms: 100000, warm_up: 30, threshold: 3 }} }}
sinks: {{ out: {{ from: unusual, file: {{ path: {out}/, format: jsonl }} }} }}
",
            plugin("baseline").display()
        )
    };
    let folder = Folder::new();
    // Each key has a level of its own, some noise, and a leap now and then.
    let value = |row: i64| row % 13 * 100 + row * row % 7 + if row % 401 == 400 { 90 } else { 0 };
    let rows = (0..ROWS).map(|row| format!("key {},{},{}\n", row % 13, row * 1_000, value(row)));
    folder.write("values.csv", std::iter::once("key,at,x\n".to_owned()).chain(rows).collect::<String>());
    folder.write("straight.yaml", pipeline("", "", "straight"));
    folder.succeed(&["run", "straight.yaml", "-q"]);
    folder.write("p.yaml", pipeline(SLOW, CHECKPOINTS, "out"));
    for parallelism in ["1", "3"] {
        let running = start(&folder, &["--parallelism", parallelism]);
        kill(&folder, running);
    }
    folder.write("p.yaml", pipeline("", CHECKPOINTS, "out"));
    folder.succeed(&["run", "p.yaml", "-q", "--parallelism", "2"]);
    let lines = |of: &str| {
        let mut lines: Vec<String> = rows_in(&folder, of).iter().map(Value::to_string).collect();
        lines.sort_unstable();
        lines
    };
    let (straight, found) = (lines("straight/part-"), lines("out/part-"));
    let of_kind = |kind: &str| straight.iter().filter(|line| line.contains(kind)).count();
    assert!(of_kind("outlier") >= 5 && of_kind("silent") == 13, "{straight:#?}");
    assert_eq!(found, straight);
}

#[test]
fn a_migration_that_cannot_be_is_refused_before_the_place_is_claimed() {
    let folder = with_checkpoint("keeper-next");
    let before = folder.succeed(&["checkpoints", "list", "p.yaml", "--json"]).json();
    let cases = [
        // The older one knows nothing of the newer one's state.
        (keeper("keeper"), "it does not know how to bring over `sums` of version 2"),
        // One that exports no `snapshot` at all.
        (plugin("sessionizer"), "exports no `snapshot`"),
    ];
    for (component, words) in cases {
        let config = if words.contains("exports") { "gap_ms: 5" } else { "" };
        let text = pipeline(&component, "", CHECKPOINTS, config, "");
        let text = if words.contains("exports") {
            text.replace("path: rows.csv }", "path: rows.csv }, event_time: { column: id, max_out_of_orderness: 0s }")
        } else {
            text
        };
        folder.write("p.yaml", text);
        let outcome = folder.run(&["run", "p.yaml", "-q"]);
        assert_ne!(outcome.code, Some(0), "{words}");
        assert!(outcome.stderr.contains(words) && outcome.stderr.contains("--fresh"), "{words}: {}", outcome.stderr);
        assert_eq!(folder.succeed(&["checkpoints", "list", "p.yaml", "--json"]).json(), before, "nothing was claimed");
    }
}
