//! The example `greatest`: the greatest of each key and window, at any parallelism, beside what arithmetic says.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Folder, plugin};

/// Rows, of which every thousand are of one window.
const ROWS: i64 = 5_000;

const KEYS: i64 = 7;

const K: usize = 3;

/// What a row's amount is; the same in the pipeline below.
fn amount(row: i64) -> i64 {
    row * 7_919 % 1_000 - 500
}

fn pipeline() -> String {
    format!(
        "name: greatest
sources:
  made:
    parallelism: 1
    generate:
      rows: {ROWS}
      columns:
        key: \"n % {KEYS}\"
        amount: \"n * 7919 % 1000 - 500\"
        at: \"to_timestamp_millis(n)\"
    event_time: {{ column: at, max_out_of_orderness: 0s }}
operators:
  greatest:
    from: made
    key_by: key
    window: {{ tumbling: 1s }}
    plugin: {{ component: \"{}\", config: {{ column: amount, k: {K} }} }}
sinks:
  out: {{ from: greatest, file: {{ path: out/, format: jsonl }} }}
",
        plugin("greatest").display()
    )
}

/// By window and key.
fn expected() -> BTreeMap<(i64, i64), Vec<f64>> {
    let mut all: BTreeMap<(i64, i64), Vec<f64>> = BTreeMap::new();
    for row in 0..ROWS {
        all.entry((row / 1_000, row % KEYS)).or_default().push(amount(row) as f64);
    }
    for values in all.values_mut() {
        values.sort_unstable_by(|one, other| other.total_cmp(one));
        values.truncate(K);
    }
    all
}

/// What the sink has, by the number of the window and the key.
fn put_out(folder: &Folder) -> BTreeMap<(i64, i64), Vec<f64>> {
    let mut all = BTreeMap::new();
    for name in folder.files().iter().filter(|name| name.starts_with("out/part-")) {
        for line in folder.read(name).lines() {
            let row: Value = serde_json::from_str(line).expect("a row");
            let start = row["window_start"].as_str().expect("a time");
            let second = start.split(':').nth(2).and_then(|text| text.get(..2)).and_then(|text| text.parse().ok());
            let top = row["top"].as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number"));
            let place = (second.expect("a second"), row["key"].as_i64().expect("a key"));
            assert_eq!(all.insert(place, top.collect()), None, "{place:?} came twice");
        }
    }
    all
}

#[test]
fn the_greatest_of_each_key_and_window_come_out_at_any_parallelism() {
    for parallelism in ["1", "3"] {
        let folder = Folder::new();
        folder.write("p.yaml", pipeline());
        folder.succeed(&["run", "p.yaml", "-q", "--parallelism", parallelism]);
        assert_eq!(put_out(&folder), expected(), "{parallelism}");
    }
}

#[test]
fn what_it_cannot_do_is_refused_by_name_before_a_row_moves() {
    for (from, to, words) in
        [("k: 3", "k: 0", "k: 0 is not between 1 and 1000"), ("column: amount", "column: amonut", "no column `amonut`")]
    {
        let folder = Folder::new();
        folder.write("p.yaml", pipeline().replace(from, to));
        let outcome = folder.run(&["validate", "p.yaml"]);
        assert!(outcome.code != Some(0) && outcome.stderr.contains(words), "{}", outcome.stderr);
    }
}
