//! Operators of the engine and their twins that are plugins, and plugins that the engine has no twin of: all put out what stands in
//! `tests/golden/operators`, straight, killed, and dealt out anew. The files are what DuckDB makes of the same rows.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::checkpoints::{finish, has_completed, kill_when, start};
use crate::support::{Folder, plugin, python, repository, rows};

/// Rows of the source; `twins.py` has it too, and all expressions below.
const ROWS: i64 = 9_000;

/// The sinks of a job, and the golden file that each has to be like.
type Outputs = &'static [(&'static str, &'static str)];

/// Operators that keep state, which is what there is to lose.
const KEYED: Outputs = &[
    ("sums-native", "sum-avg"),
    ("sums-plugin", "sum-avg"),
    ("sessions-native", "sessions"),
    ("sessions-plugin", "sessions"),
    ("journeys", "journeys"),
    ("top", "top-k"),
    ("told", "anomalies"),
    ("quiet", "silences"),
];

/// The same, and functions of expressions.
const ALL: Outputs = &[
    ("sums-native", "sum-avg"),
    ("sums-plugin", "sum-avg"),
    ("sessions-native", "sessions"),
    ("sessions-plugin", "sessions"),
    ("journeys", "journeys"),
    ("top", "top-k"),
    ("told", "anomalies"),
    ("quiet", "silences"),
    ("celsius-native", "celsius"),
    ("celsius-plugin", "celsius"),
];

fn golden() -> std::path::PathBuf {
    repository().join("tests/golden/operators")
}

/// Lines as they compare, whatever the order of their columns.
fn canonical<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let line = |line: &str| {
        let row: BTreeMap<String, Value> = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        serde_json::to_string(&row).expect("JSON")
    };
    let mut lines: Vec<String> = lines.map(line).collect();
    lines.sort_unstable();
    lines
}

/// Fails at the first row that is not as in the golden file, or is missing, or too many.
fn assert_golden(what: &str, found: &[String], name: &str) {
    let path = golden().join(format!("{name}.jsonl"));
    let due = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (found, due) = (canonical(found.iter().map(String::as_str)), canonical(due.lines()));
    let differs = found.iter().zip(&due).find(|(found, due)| found != due);
    assert_eq!(differs, None, "{what}: found, {name}.jsonl");
    assert_eq!(found.len(), due.len(), "{what}: rows found, rows of {name}.jsonl");
}

fn pipeline(outputs: Outputs, rate: &str, more: &str) -> String {
    let component = |name: &str| format!("component: \"{}\"", plugin(name).display());
    let celsius = |of: &str, function: &str| {
        format!(
            "  warm-{of}: {{ from: some, filter: \"{function} > 10 OR fahrenheit IS NULL\" }}
  both-{of}: {{ from: warm-{of}, with_columns: {{ c: \"{function}\", d: \"{function} + CAST(key AS DOUBLE)\" }} }}
  celsius-{of}: {{ from: both-{of}, select: [id, c, d, \"coalesce({function}, -1.0) AS e\"] }}
"
        )
    };
    let (has_celsius, functions, expressions) = match outputs.iter().any(|(_, golden)| *golden == "celsius") {
        true => (
            "  some: { from: made, filter: id % 20 = 0 }\n",
            format!("functions: {{ celsius: {{ {} }} }}\n", component("celsius")),
            celsius("native", "((fahrenheit - 32.0) * 5.0 / 9.0)") + &celsius("plugin", "celsius(fahrenheit)"),
        ),
        false => ("", String::new(), String::new()),
    };
    let sinks: String = outputs
        .iter()
        .map(|(name, _)| format!("  {name}-out: {{ from: {name}, file: {{ path: out/{name}/, format: jsonl }} }}\n"))
        .collect();
    let (sum_avg, sessionizer) = (component("sum-avg"), component("sessionizer"));
    let (top_k, anomaly, journeys) = (component("top-k"), component("anomaly"), component("journeys"));
    format!(
        "name: twins
{more}{functions}sources:
  made:
    parallelism: 1
    generate:
      rows: {ROWS}{rate}
      splits: 1
      columns:
        id: n
        key: \"n % 7\"
        at_ms: \"n * 1000 + n / 100 * 20000\"
        at: \"to_timestamp_millis(n * 1000 + n / 100 * 20000)\"
        amount: \"CASE WHEN n % 11 = 0 THEN NULL ELSE CAST(n * 7919 % 1000 - 500 AS DOUBLE) END\"
        fahrenheit: \"CASE WHEN n % 13 = 5 THEN NULL ELSE CAST(n * 31 % 251 AS DOUBLE) / 2.0 END\"
        reading: \"CAST(50 + n * 37 % 11 + CASE WHEN n % 97 = 3 THEN 500 ELSE 0 END AS DOUBLE)\"
        item: \"concat('item ', CAST(n * n % 13 AS VARCHAR))\"
        step: \"CASE WHEN n % 17 = 4 THEN NULL ELSE concat('step ', CAST(n * 7 % 31 % 5 AS VARCHAR)) END\"
    event_time: {{ column: at, max_out_of_orderness: 0s }}
operators:
  all-sums-native:
    {{ from: made, key_by: key, window: {{ tumbling: 10m }}, aggregate: {{ sum: sum(amount), avg: avg(amount) }} }}
  all-sums-plugin: {{ from: made, key_by: key, window: {{ tumbling: 10m }}, plugin: {{ {sum_avg} }} }}
  sums-native: {{ from: all-sums-native, select: [key, window_start, sum, avg] }}
  sums-plugin: {{ from: all-sums-plugin, select: [key, window_start, sum, avg] }}
  all-sessions-native:
    from: made
    key_by: key
    window: {{ session: 9001ms }}
    aggregate: {{ session_start: min(at_ms), session_end: max(at_ms), rows: count(*) }}
  all-sessions-plugin: {{ from: made, key_by: key, plugin: {{ {sessionizer}, config: {{ gap_ms: 9000 }} }} }}
  sessions-native: {{ from: all-sessions-native, select: [key, session_start, session_end, rows] }}
  sessions-plugin: {{ from: all-sessions-plugin, select: [key, session_start, session_end, rows] }}
  all-journeys: {{ from: made, key_by: key, plugin: {{ {journeys}, config: {{ gap_ms: 9000 }} }} }}
  journeys: {{ from: all-journeys, select: [key, journey_start, journey_end, steps, favourite, way] }}
  all-top: {{ from: made, key_by: key, plugin: {{ {top_k}, config: {{ item: item, k: 3, every_ms: 600000 }} }} }}
  top: {{ from: all-top, select: [key, at, rank, item, count] }}
  watched: {{ from: made, key_by: key, plugin: {{ {anomaly}, config: {{ column: reading, silent_ms: 15000 }} }} }}
  told: {{ from: watched, select: [key, at, reading, mean, deviations, recent] }}
  quiet: {{ from: watched.silent, select: [key, since_ms] }}
{has_celsius}{expressions}sinks:
{sinks}"
    )
}

/// Compares all that a job has put out.
fn compare(folder: &Folder, outputs: Outputs) {
    for (output, name) in outputs {
        assert_golden(output, &rows(folder, &format!("out/{output}")), name);
    }
}

#[test]
fn the_golden_files_are_what_an_independent_engine_computes() {
    python("twins.py", &["check".as_ref(), &golden()]);
}

#[test]
fn straight_at_any_parallelism_and_in_batches_of_any_size() {
    for arguments in [&["--parallelism", "1"][..], &["--parallelism", "3"], &["--batch-rows", "16"]] {
        let folder = Folder::new();
        folder.write("p.yaml", pipeline(ALL, "", "watermark_interval: 0s\n"));
        folder.succeed(&[&["run", "p.yaml", "-q"], arguments].concat());
        compare(&folder, ALL);
    }
}

/// Killed by one instance of each operator, by three and by two, somewhere else each time, and ended by two.
fn killed(outputs: Outputs, rows_per_second: u32, more: &str) {
    let folder = Folder::new();
    let checkpoints =
        format!("watermark_interval: 20ms\ncheckpoint: {{ interval: 60ms, location: checkpoints }}\n{more}");
    folder.write("p.yaml", pipeline(outputs, &format!("\n      rate: {rows_per_second}"), &checkpoints));
    let kills = [("1", 0), ("3", 17), ("3", 41), ("2", 29)];
    let was_killed = |(parallelism, pause_ms): &(&str, u64)| {
        let running = start(&folder, &["--parallelism", parallelism]);
        kill_when(&folder, running, |status| has_completed(status, 2), Duration::from_millis(*pause_ms))
    };
    // On a slow machine it may be done before the last of them; it has to be dealt out anew once in any case.
    let count = kills.iter().take_while(|kill| was_killed(kill)).count();
    assert!(count >= 2, "it was killed {count} times, and ended before the next");
    finish(&folder, &["--parallelism", "2"]);
    compare(&folder, outputs);
}

#[test]
fn killed_and_dealt_out_anew() {
    killed(ALL, 800, "");
}

#[cfg(feature = "rocksdb")]
#[test]
fn the_same_with_state_on_disk() {
    // Each operator has folders of its own on disk, so that a start takes longer.
    killed(KEYED, 700, "state: { backend: rocksdb, location: state }\n");
}

/// A native format and a plugin at both ends: lines to lines, lines to ticks, ticks to lines; and what was written is read again.
fn formats(folder: &Folder, more: &str) -> String {
    let due = std::fs::read_to_string(golden().join("ticks.jsonl")).expect("the golden file");
    let lines: Vec<&str> = due.lines().collect();
    let mut ticks = Vec::new();
    for (number, part) in lines.chunks(lines.len().div_ceil(3)).enumerate() {
        let part: String = part.iter().map(|line| format!("{line}\n")).collect();
        folder.write(&format!("lines/{number}.jsonl"), part);
    }
    let codec = format!("format: {{ plugin: {{ component: \"{}\" }} }}", plugin("ticks").display());
    let make = format!(
        "name: make\nsources: {{ lines: {{ file: {{ path: lines/ }} }} }}\n\
         sinks: {{ ticks: {{ from: lines, file: {{ path: ticks/, {codec} }} }} }}\n"
    );
    folder.write("make.yaml", make);
    folder.succeed(&["run", "make.yaml", "-q", "--parallelism", "3"]);
    for name in folder.files().iter().filter(|name| name.starts_with("ticks/part-")) {
        ticks.extend(std::fs::read(folder.path(name)).expect("a file"));
    }
    // Three files, none of which begins or ends where another does.
    std::fs::remove_dir_all(folder.path("ticks")).expect("a folder");
    let (mut start, mut at) = (0, 0);
    for number in 0..3 {
        while at < ticks.len() && (number == 2 || at < ticks.len() * (number + 1) / 3) {
            let length = ticks[at..at + 4].try_into().map(u32::from_le_bytes).expect("four bytes");
            at += 4 + length as usize;
        }
        folder.write(&format!("ticks/{number}.bin"), &ticks[start..at]);
        start = at;
    }
    format!(
        "name: formats
{more}sources:
  lines: {{ file: {{ path: lines/, rate: 60 }} }}
  ticks: {{ file: {{ path: ticks/, {codec}, rate: 60 }} }}
sinks:
  lines-lines: {{ from: lines, file: {{ path: out/lines-lines/, format: jsonl }} }}
  lines-ticks: {{ from: lines, file: {{ path: out/lines-ticks/, {codec} }} }}
  ticks-lines: {{ from: ticks, file: {{ path: out/ticks-lines/, format: jsonl }} }}
  ticks-ticks: {{ from: ticks, file: {{ path: out/ticks-ticks/, {codec} }} }}
"
    )
}

/// Reads again what was written as ticks, as lines of the same names.
fn read_again(folder: &Folder) {
    for name in ["lines-ticks", "ticks-ticks"] {
        let codec = format!("format: {{ plugin: {{ component: \"{}\" }} }}", plugin("ticks").display());
        folder.write(
            "again.yaml",
            format!(
                "name: again\nsources: {{ ticks: {{ file: {{ path: out/{name}/, {codec} }} }} }}\n\
                 sinks: {{ lines: {{ from: ticks, file: {{ path: again/{name}/, format: jsonl }} }} }}\n"
            ),
        );
        folder.succeed(&["run", "again.yaml", "-q"]);
    }
    for name in ["out/lines-lines", "out/ticks-lines", "again/lines-ticks", "again/ticks-ticks"] {
        assert_golden(name, &rows(folder, name), "ticks");
    }
}

#[test]
fn formats_straight() {
    let folder = Folder::new();
    let text = formats(&folder, "").replace(", rate: 60", "");
    folder.write("p.yaml", text);
    folder.succeed(&["run", "p.yaml", "-q", "--parallelism", "2", "--batch-rows", "7"]);
    read_again(&folder);
}

#[test]
fn formats_killed_and_dealt_out_anew() {
    let folder = Folder::new();
    let text = formats(&folder, "checkpoint: { interval: 50ms, location: checkpoints }\n");
    folder.write("p.yaml", text);
    for (parallelism, pause_ms) in [("1", 0), ("3", 23)] {
        let running = start(&folder, &["--parallelism", parallelism]);
        let pause = Duration::from_millis(pause_ms);
        let was_killed = kill_when(&folder, running, |status| has_completed(status, 2), pause);
        assert!(was_killed || parallelism != "1", "it ended before it could be killed");
    }
    finish(&folder, &["--parallelism", "2"]);
    read_again(&folder);
}
