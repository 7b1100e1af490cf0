//! A plugin with state and timers: straight, killed and started again, and with other parallelism, it puts out the same.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::checkpoints::{finish, kill, start};
use crate::support::{Folder, plugin};

/// Rows of the source.
const ROWS: i64 = 8_000;
/// Users that they are of.
const USERS: i64 = 7;
/// A session ends after so much time without a row.
const GAP_MS: i64 = 9_000;

/// The time of a row: a second each, and a break after every hundred.
fn at_ms(row: i64) -> i64 {
    row * 1_000 + row / 100 * 20_000
}

fn pipeline(rate: &str, more: &str) -> String {
    format!(
        "name: sessions
watermark_interval: 0s
{more}sources:
  made:
    parallelism: 1
    file: {{ path: rows.csv{rate} }}
    event_time: {{ column: at, max_out_of_orderness: 0s }}
operators:
  sessions:
    from: made
    key_by: user
    plugin: {{ component: \"{}\", config: {{ gap_ms: {GAP_MS} }} }}
  results: {{ from: sessions, select: [user, session_start, session_end, rows] }}
sinks: {{ out: {{ from: results, file: {{ path: out/, format: jsonl }} }} }}
",
        plugin("sessionizer").display()
    )
}

/// The source's file. What a key's session is depends on the order of its rows, so there is one, read by one instance.
fn rows() -> String {
    let row = |row: i64| format!("{row},{},{}\n", row % USERS, at_ms(row));
    std::iter::once("id,user,at\n".to_owned()).chain((0..ROWS).map(row)).collect()
}

/// A folder with the source's file.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("rows.csv", rows());
    folder
}

/// What there has to be: user, first time, last time, rows; sorted.
fn expected() -> Vec<[i64; 4]> {
    let mut open: BTreeMap<i64, [i64; 4]> = BTreeMap::new();
    let mut sessions = Vec::new();
    for row in 0..ROWS {
        let (user, at_ms) = (row % USERS, at_ms(row));
        match open.get_mut(&user).filter(|session| at_ms <= session[2] + GAP_MS) {
            Some(session) => (session[2], session[3]) = (at_ms, session[3] + 1),
            None => sessions.extend(open.insert(user, [user, at_ms, at_ms, 1])),
        }
    }
    sessions.extend(open.into_values());
    sessions.sort_unstable();
    sessions
}

/// What there is.
fn found(folder: &Folder) -> Vec<[i64; 4]> {
    let mut sessions = Vec::new();
    for name in folder.files().iter().filter(|name| name.starts_with("out/part-")) {
        for line in folder.read(name).lines() {
            let row: Value = serde_json::from_str(line).expect("a whole row");
            let number = |name: &str| row[name].as_i64().unwrap_or_else(|| panic!("no number `{name}` in {line}"));
            sessions.push(["user", "session_start", "session_end", "rows"].map(number));
        }
    }
    sessions.sort_unstable();
    sessions
}

/// Fails at the first session that differs.
fn assert_same(found: &[[i64; 4]]) {
    let expected = expected();
    let differs = found.iter().zip(&expected).find(|(found, expected)| found != expected);
    assert_eq!(differs, None, "found, expected");
    assert_eq!(found.len(), expected.len());
}

#[test]
fn sessions_are_the_same_at_any_parallelism() {
    for parallelism in ["1", "3"] {
        let folder = folder();
        folder.write("p.yaml", pipeline("", ""));
        folder.succeed(&["run", "p.yaml", "-q", "--parallelism", parallelism]);
        assert_same(&found(&folder));
    }
}

fn killed(more: &str) {
    let folder = folder();
    let checkpoints = format!("checkpoint: {{ interval: 50ms, location: checkpoints }}\n{more}");
    folder.write("p.yaml", pipeline(", rate: 3000", &checkpoints));
    for parallelism in ["1", "3"] {
        let running = start(&folder, &["--parallelism", parallelism]);
        kill(&folder, running);
    }
    finish(&folder, &["--parallelism", "2"]);
    assert_same(&found(&folder));
}

#[test]
fn killed_and_dealt_out_anew_nothing_is_lost_or_there_twice() {
    killed("");
}

#[cfg(feature = "rocksdb")]
#[test]
fn the_same_with_state_on_disk() {
    killed("state: { backend: rocksdb, location: state }\n");
}

#[test]
fn what_does_not_fit_together_is_refused_before_a_row_moves() {
    let folder = folder();
    let good = pipeline("", "");
    let cases = [
        (good.replace("    key_by: user\n", ""), "name the key with `key_by` beside `plugin`"),
        (good.replace("key_by: user", "key_by: usr"), "the column `usr`; the input has id, user, at"),
        (good.replace("    event_time: { column: at, max_out_of_orderness: 0s }\n", ""), "declare `event_time`"),
        (good.replace("sessionizer.wasm", "threshold.wasm"), "which has no keys: leave out `key_by: user`"),
    ];
    for (text, words) in cases {
        folder.write("p.yaml", text);
        folder.run(&["validate", "p.yaml"]).says(words, 2, &[words]);
    }
}

/// A checkpoint of one layout of state is not taken for another.
#[test]
fn state_of_another_key_is_refused_by_name() {
    let folder = folder();
    let checkpoints = "checkpoint: { interval: 50ms, location: checkpoints }\n";
    let good = pipeline(", rate: 3000", checkpoints);
    folder.write("p.yaml", &good);
    let running = start(&folder, &[]);
    kill(&folder, running);
    folder.write("p.yaml", good.replace("key_by: user", "key_by: [user, id]"));
    let outcome = folder.run(&["run", "p.yaml", "-q"]);
    assert_ne!(outcome.code, Some(0));
    assert!(outcome.stderr.contains("`session` of `sessions`"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("keys [user Int64]; value ["), "{}", outcome.stderr);
}
