//! `volley-host state` where something is wrong, unknown, damaged or in use.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::checkpoints::{KEYED, has_completed, start};
use crate::state::lines;
use crate::support::{Folder, plugin, status_when};

/// A job that was stopped, so that it is known what is there.
fn stopped(pipeline: &str) -> Folder {
    let folder = Folder::new();
    folder.write("p.yaml", pipeline);
    let running = start(&folder, &["-q"]);
    status_when(&folder, |status| has_completed(status, 2));
    folder.succeed(&["stop", "job"]);
    running.finish().says("stopped", 130, &["stopped at checkpoint "]);
    folder
}

#[test]
fn wrong_names_are_named_with_the_nearest() {
    let two = "totals: { from: made, key_by: key, window: { session: 1h }, aggregate: { n: count(*) } }\n  \
               plain: { from: made, filter: key > 100 }";
    let text = KEYED
        .replace("totals: { from: made, key_by: key, window: { tumbling: 1h }, aggregate: { n: count(*) } }", two)
        .replace("sinks: {", "sinks: { none: { from: plain, discard: {} },");
    let folder = stopped(&text);
    let state = |arguments: &[&str], code: i32, parts: &[&str]| {
        folder.run(&[&["state", "p.yaml"], arguments].concat()).says(&arguments.join(" "), code, parts);
    };
    state(&["total"], 2, &["unknown operator `total`; did you mean `totals`?"]);
    state(&["made"], 2, &["`made` keeps no state; those that do: totals"]);
    state(&["plain"], 2, &["`plain` keeps no state; those that do: totals"]);
    state(&["totals", "windws"], 2, &["state of `totals`", "unknown state `windws`; did you mean `windows`?"]);
    state(&["totals", "--count"], 2, &["`totals` has several states: name one of windows, due"]);
    state(&["totals", "windows", "--where", "kee = 1"], 2, &["`kee`", "not a column", "`key`"]);
    state(&["totals", "windows", "--where", "key +"], 2, &["cannot be read"]);
    state(&["totals", "windows", "--where", "key + 1"], 2, &["--where `key + 1` gives Int64, not true or false"]);
    state(&["totals", "windows", "--where", "1 / (key - key) = 1"], 3, &["fails"]);
    state(&["totals", "windows", "--select", "key,n_cout"], 2, &["--select", "unknown column `n_cout`", "`n_count`"]);
    state(&["totals", "windows", "--limit", "few"], 2, &["a number of rows, or `all`"]);
    state(&["totals", "windows", "--checkpoint", "99999"], 2, &["there is no checkpoint 99999 in"]);
    state(&["totals", "windows", "--checkpoint", "x"], 2, &["the number of a checkpoint, or `newest`"]);
    state(&["totals", "--savepoint", "nowhere"], 2, &["holds no savepoint"]);
    state(&["totals", "--savepoint", "a", "--checkpoint", "1"], 2, &["cannot be used with"]);
    let json = folder.run(&["state", "p.yaml", "total", "--json"]);
    assert_eq!(json.json()["error"]["kind"], "config", "{}", json.text());
    let help = folder.succeed(&["state", "--help"]);
    for part in ["volley-host state pipeline.yaml hourly", "--savepoint before-upgrade", "the job may run"] {
        let words: Vec<&str> = help.text().split_whitespace().collect();
        assert!(words.join(" ").contains(part), "no `{part}` in {}", help.text());
    }
    folder.write("p.yaml", text.replace("checkpoint: { interval: 50ms, location: checkpoints }\n", ""));
    state(&["totals"], 2, &["p.yaml has no `checkpoint`"]);
    folder.write("p.yaml", text.replace("key_by: key", "key_by: kee"));
    state(&["totals"], 2, &["`kee`", "key"]);
}

#[test]
fn what_the_pipeline_does_not_know_is_shown_as_bytes() {
    let folder = stopped(KEYED);
    let known = lines(&folder.succeed(&["state", "p.yaml", "totals", "--json"]));
    assert!(!known.is_empty());
    // Another window, and another name for the operator.
    folder.write("p.yaml", KEYED.replace("tumbling: 1h", "tumbling: 2h"));
    let bytes = folder.succeed(&["state", "p.yaml", "totals", "--json"]);
    let says = ["note: the state `windows` is shown as bytes", "tumbling 3600000 ms", "tumbling 7200000 ms"];
    bytes.says("other layout", 0, &says);
    let rows = lines(&bytes);
    assert_eq!(rows.len(), known.len());
    assert!(rows.iter().all(|row| row["key_hex"].as_str().is_some_and(|hex| hex.len() == 18)), "{rows:?}");
    let one = folder.succeed(&["state", "p.yaml", "totals", "--where", "namespace = 0", "--count"]);
    let first = known.iter().filter(|row| row["window_start"] == "1970-01-01T00:00:00Z").count();
    assert_eq!(one.text(), format!("{first}\n"));
    folder.write("p.yaml", KEYED.replace("totals", "sums"));
    let list = folder.succeed(&["state", "p.yaml", "totals", "--json"]);
    assert_eq!(lines(&list).len(), known.len());
    list.says("other name", 0, &["is shown as bytes: the operator keeps no state of that name"]);
    // What the plan keeps and the checkpoint has not is empty.
    let none = folder.succeed(&["state", "p.yaml", "sums", "--json"]);
    assert_eq!((none.text(), none.stderr.as_str()), ("", ""));
}

#[test]
fn what_a_plugin_knows_of_its_groups_is_shown_as_one_column() {
    // Every `amount` of a key is the key: so a sum says how many rows are in it.
    let component = plugin("sum-avg").display().to_string();
    // Longer than the rows reach: no window is over.
    let window = "from: made, key_by: key, window: { tumbling: 1d }";
    let operators = format!(
        "totals: {{ {window}, aggregate: {{ n: count(*) }} }}
  sums: {{ {window}, plugin: {{ component: \"{component}\" }} }}
  all: {{ from: made, key_by: key, plugin: {{ component: \"{component}\" }} }}"
    );
    let text = KEYED
        .replace(
            "totals: { from: made, key_by: key, window: { tumbling: 1h }, aggregate: { n: count(*) } }",
            &operators,
        )
        .replace("key: \"n % 7\",", "key: \"n % 7\", amount: \"CAST(n % 7 AS DOUBLE)\",")
        .replace("sinks: {", "sinks: { none: { from: sums, discard: {} }, neither: { from: all, discard: {} },");
    let folder = stopped(&text);
    let look = |operator: &str, more: &[&str]| {
        lines(&folder.succeed(&[&["state", "p.yaml", operator, "--limit", "all", "--json"], more].concat()))
    };
    // A checkpoint holds the same rows in each operator: what the engine counts is what the plugin has added up.
    let of_window = |row: &Value, count: &Value| {
        (format!("{} {} {}", row["key"], row["window_start"], row["key_group"]), count.as_i64())
    };
    let counted: BTreeMap<_, _> = look("totals", &[]).iter().map(|row| of_window(row, &row["n_count"])).collect();
    let rows = look("sums", &[]);
    let found: BTreeMap<_, _> = rows.iter().map(|row| of_window(row, &row["state"]["count"])).collect();
    assert!(!found.is_empty());
    assert_eq!(found, counted);
    let sum = |row: &Value| row["key"].as_f64().zip(row["state"]["count"].as_f64()).map(|(key, count)| key * count);
    assert!(rows.iter().all(|row| sum(row).is_some() && row["state"]["sum"].as_f64() == sum(row)), "{rows:?}");
    let of_three = look("sums", &["--where", "key = 3 AND state.sum >= 3 * state.count"]);
    assert_eq!(of_three.len(), rows.iter().filter(|row| row["key"] == 3).count());
    // Without a window there is a row for each key.
    let rows = look("all", &["--select", "key,state"]);
    assert_eq!(rows.len(), 7, "{rows:?}");
    assert!(rows.iter().all(|row| sum(row).is_some() && row["state"]["sum"].as_f64() == sum(row)), "{rows:?}");
    let total: i64 = rows.iter().filter_map(|row| row["state"]["count"].as_i64()).sum();
    assert_eq!(total, counted.values().flatten().sum::<i64>());
}

#[test]
fn a_damaged_file_is_named() {
    let folder = stopped(KEYED);
    let manifest = folder.succeed(&["checkpoints", "inspect", "p.yaml", "--json"]).json();
    let parts = manifest["operators"]["totals"]["keyed"]["windows"].as_array().expect("parts");
    let file = parts[0]["files"][0]["path"].as_str().expect("a file").to_owned();
    let path = folder.path(&format!("checkpoints/keyed/{file}"));
    let mut bytes = std::fs::read(&path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::remove_file(&path).expect("it is there");
    std::fs::write(&path, &bytes).expect("a disk");
    folder.run(&["state", "p.yaml", "totals"]).says("flipped", 5, &[&file]);
}

#[test]
fn a_running_job_and_its_savepoint_are_looked_at() {
    let disk = if cfg!(feature = "rocksdb") { "state: { backend: rocksdb, location: state }\n" } else { "" };
    let folder = Folder::new();
    let text = KEYED.replace("interval: 50ms", "interval: 400ms").replace("rows: 8000", "rows: 40000");
    folder.write("p.yaml", text.replace("sources:", &format!("{disk}sources:")));
    let running = start(&folder, &["-q"]);
    status_when(&folder, |status| has_completed(status, 1));
    folder.succeed(&["savepoint", "job", "taken"]);
    let epoch = folder.succeed(&["savepoint", "inspect", "taken", "--json"]).json()["epoch"].to_string();
    for _ in 0..4 {
        let rows = lines(&folder.succeed(&["state", "p.yaml", "totals", "--json"]));
        let counted: i64 = rows.iter().filter_map(|row| row["n_count"].as_i64()).sum();
        assert!(counted > 0, "{rows:?}");
    }
    let status = folder.succeed(&["status", "job", "--json"]).json();
    assert_eq!((&status["phase"], &status["checkpoints"]["abandoned"]), (&"running".into(), &0.into()), "{status}");
    let saved = folder.succeed(&["state", "p.yaml", "totals", "--savepoint", "taken", "--json"]);
    assert!(!lines(&saved).is_empty());
    let table = folder.succeed(&["state", "p.yaml", "totals", "--savepoint", "taken"]);
    assert!(table.text().contains("window_start"), "{}", table.text());
    folder.succeed(&["stop", "job"]);
    running.finish().says("stopped", 130, &["stopped at checkpoint "]);
    // It is there when the checkpoint that it was made of is long gone.
    let again = folder.succeed(&["state", "p.yaml", "totals", "--savepoint", "taken", "--json"]);
    assert_eq!(again.text(), saved.text(), "checkpoint {epoch}");
}
