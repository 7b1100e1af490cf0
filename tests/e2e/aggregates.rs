//! Aggregates that are plugins beside the built-in ones: in every kind of window, straight, killed, and dealt out anew, they put
//! out the same.

use std::collections::BTreeMap;

use crate::checkpoints::{finish, kill, start};
use crate::support::{Folder, plugin, rows};

/// Rows of the source.
const ROWS: i64 = 12_000;

/// Every kind of window, and none.
const WINDOWS: [(&str, &str); 5] = [
    ("tumbling", "window: { tumbling: 10m }"),
    ("sliding", "window: { sliding: { size: 15m, slide: 5m } }"),
    ("session", "window: { session: 5s }"),
    ("count", "window: { count: 13 }"),
    ("none", ""),
];

/// Sums and means by the engine and by a plugin, side by side; and quantiles, which the engine has not.
///
/// Amounts are whole numbers, so that sums of floats are exact in any order. Times go on, with a gap after every fourth row.
fn pipeline(windows: &[(&str, &str)], rate: &str, more: &str) -> String {
    let mut operators = String::new();
    let mut sinks = String::new();
    for (name, window) in windows {
        let keyed = format!("from: made, key_by: key{}{window}", if window.is_empty() { "" } else { ", " });
        let aggregate = "aggregate: { sum: sum(amount), avg: avg(amount) }";
        let (sum_avg, sketch) = (plugin("sum-avg"), plugin("quantile-sketch"));
        let by_plugin = format!("plugin: {{ component: \"{}\" }}", sum_avg.display());
        let config = "config: { column: amount, quantiles: [0, 0.5, 1], accuracy: 0.001 }";
        let quantiles = format!("plugin: {{ component: \"{}\", {config} }}", sketch.display());
        for (kind, what) in [("native", aggregate), ("plugin", &by_plugin), ("sketch", &quantiles)] {
            operators.push_str(&format!("  {name}-{kind}: {{ {keyed}, {what} }}\n"));
            sinks.push_str(&format!(
                "  {name}-{kind}-out: {{ from: {name}-{kind}, file: {{ path: out/{name}-{kind}/, format: jsonl }} }}\n"
            ));
        }
    }
    format!(
        "name: twins
watermark_interval: 0s
{more}sources:
  made:
    parallelism: 1
    generate:
      rows: {ROWS}{rate}
      columns:
        key: \"n % 7\"
        amount: \"CAST(n * 7919 % 1000 - 500 AS DOUBLE)\"
        at: \"to_timestamp_millis(n * 1000 + n / 4 * 9000)\"
    event_time: {{ column: at, max_out_of_orderness: 0s }}
operators:
{operators}sinks:
{sinks}"
    )
}

/// Fails where the two kinds differ; gives what each window has put out.
fn compared(folder: &Folder, windows: &[(&str, &str)]) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for (name, _) in windows {
        let rows = |kind: &str| rows(folder, &format!("out/{name}-{kind}"));
        let (native, by_plugin) = (rows("native"), rows("plugin"));
        assert!(native.len() >= 7, "{name}: {} rows", native.len());
        let differs = native.iter().zip(&by_plugin).find(|(native, by_plugin)| native != by_plugin);
        assert_eq!(differs, None, "{name}: native, plugin");
        assert_eq!(native.len(), by_plugin.len(), "{name}");
        let sketches = rows("sketch");
        assert_eq!(native.len(), sketches.len(), "{name}");
        all.insert(format!("{name}-native"), native);
        all.insert(format!("{name}-sketch"), sketches);
    }
    all
}

fn straight(parallelism: &str) -> BTreeMap<String, Vec<String>> {
    let folder = Folder::new();
    folder.write("p.yaml", pipeline(&WINDOWS, "", ""));
    folder.succeed(&["run", "p.yaml", "-q", "--parallelism", parallelism]);
    compared(&folder, &WINDOWS)
}

#[test]
fn a_plugin_and_the_engine_put_out_the_same_in_every_window_at_any_parallelism() {
    let one = straight("1");
    assert_eq!(one, straight("3"));
    let global = one.get("none-native").expect("compared");
    assert_eq!(global.len(), 7, "one row for each key: {global:?}");
}

/// Killed at one instance and at three, and ended by two.
fn killed(windows: &[(&str, &str)], rows_per_second: u32, more: &str) {
    let folder = Folder::new();
    let checkpoints = format!("checkpoint: {{ interval: 50ms, location: checkpoints }}\n{more}");
    folder.write("p.yaml", pipeline(windows, &format!("\n      rate: {rows_per_second}"), &checkpoints));
    for parallelism in ["1", "3"] {
        let running = start(&folder, &["--parallelism", parallelism]);
        kill(&folder, running);
    }
    finish(&folder, &["--parallelism", "2"]);
    let mut expected = straight("1");
    expected.retain(|name, _| windows.iter().any(|(window, _)| name.starts_with(window)));
    assert_eq!(compared(&folder, windows), expected);
}

#[test]
fn killed_and_dealt_out_anew_they_still_do() {
    // A window that fires at the end only would keep `kill` from seeing rows at all sinks.
    killed(&WINDOWS[..4], 2_000, "");
}

#[cfg(feature = "rocksdb")]
#[test]
fn and_with_state_on_disk() {
    // Each operator has folders of its own on disk, so there are fewer of them.
    killed(&[WINDOWS[0], WINDOWS[3]], 800, "state: { backend: rocksdb, location: state }\n");
}

#[test]
fn what_does_not_fit_together_is_refused_before_a_row_moves() {
    let folder = Folder::new();
    let good = pipeline(&WINDOWS[..1], "", "");
    let threshold = plugin("threshold").display().to_string();
    let sum_avg = plugin("sum-avg").display().to_string();
    let twin = |from: &str, to: &str| {
        let (before, after) = good.split_once("  tumbling-plugin: ").expect("the plugin");
        format!("{before}  tumbling-plugin: {}", after.replacen(from, to, 1))
    };
    let cases = [
        (
            twin("key_by: key, window: { tumbling: 10m }, ", ""),
            "it is an aggregate, which goes by keys: write `key_by: [...]`",
        ),
        (twin("key_by: key, ", ""), "`window` cuts the rows of a key: add `key_by` beside `plugin`"),
        (twin(&sum_avg, &threshold), "threshold is a filter, and windows are for aggregates: leave out `window`"),
        (twin("key_by: key", "key_by: nope"), "nope"),
        (good.replace("        amount: ", "        amounts: ").replace("(amount)", "(amounts)"), "no column `amount`"),
        (good.replace("    event_time: { column: at, max_out_of_orderness: 0s }\n", ""), "event_time"),
    ];
    for (text, words) in cases {
        folder.write("p.yaml", text);
        folder.run(&["validate", "p.yaml"]).says(words, 2, &[words]);
    }
}
