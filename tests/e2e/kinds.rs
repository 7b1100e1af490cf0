//! State that has an end, timers of the clock, and more rows of a state than there may be, in whole jobs. (Maps, lists, merged state
//! and timers of event time are in `twins`.)

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::checkpoints::{finish, has_completed, kill_when, start};
use crate::state::lines;
use crate::support::{Folder, plugin, rows, status_when};

/// After so many milliseconds of event time `anomaly` forgets a reading that it has told of.
const RECENT_MS: i64 = 3_600_000;

/// One row for each second of event time, of which one in ten is told; without an end.
fn forgetful(more: &str) -> String {
    format!(
        "name: forgetful
watermark_interval: 20ms
checkpoint: {{ interval: 60ms, location: checkpoints }}
{more}sources:
  made:
    parallelism: 1
    generate:
      rate: 4000
      splits: 1
      columns:
        sensor: \"n % 3\"
        at: \"to_timestamp_millis(n * 1000)\"
        reading: \"CAST(n % 7 + CASE WHEN n % 10 = 9 THEN 1000000 + n * 1000 ELSE 0 END AS DOUBLE)\"
    event_time: {{ column: at, max_out_of_orderness: 0s }}
operators:
  watched:
    from: made
    key_by: sensor
    plugin: {{ component: \"{}\", config: {{ column: reading, deviations: 1 }} }}
sinks:
  out: {{ from: watched, file: {{ path: out/, format: jsonl }} }}
  silent: {{ from: watched.silent, discard: {{}} }}
",
        plugin("anomaly").display()
    )
}

/// Killed when event time is far beyond the time to live: what a checkpoint has of the list is what is recent, and not all that was
/// ever told.
fn what_has_an_end_goes(more: &str) {
    let folder = Folder::new();
    folder.write("p.yaml", forgetful(more));
    for parallelism in ["1", "2"] {
        let is_late = |status: &Value| {
            let nodes = status["nodes"].as_array().expect("nodes");
            let read = nodes.iter().find(|node| node["name"] == "watched").and_then(|node| node["rows_in"].as_u64());
            read > Some(9_000) && has_completed(status, 3)
        };
        let running = start(&folder, &["-q", "--parallelism", parallelism]);
        assert!(kill_when(&folder, running, is_late, Duration::ZERO), "it has no end");
    }
    let manifest = folder.succeed(&["checkpoints", "inspect", "p.yaml", "newest", "--json"]).json();
    let watermark_ms = manifest["operators"]["watched"]["watermark"]["at_ms"].as_i64().expect("a watermark");
    assert!(watermark_ms > 3 * RECENT_MS, "{watermark_ms}");
    let told = lines(&folder.succeed(&["state", "p.yaml", "watched", "told", "--limit", "all", "--json"]));
    let times: Vec<i64> = told.iter().map(|row| row["value"].as_i64().expect("a time")).collect();
    // About as many as an hour has; none that is older, but for the rows of a batch or two.
    assert!((200..=460).contains(&times.len()), "{} are remembered", times.len());
    let oldest = times.iter().min().expect("some");
    assert!(*oldest > watermark_ms - RECENT_MS - 600_000, "{oldest} at {watermark_ms}");
    // What is merged has no end.
    let moments = lines(&folder.succeed(&["state", "p.yaml", "watched", "moments", "--json"]));
    let readings: i64 = moments.iter().map(|row| row["value0"].as_i64().expect("a number")).sum();
    assert!(moments.len() == 3 && readings > 10_000, "{moments:?}");
}

#[test]
fn entries_of_a_list_go_when_their_time_is_up() {
    what_has_an_end_goes("");
}

#[cfg(feature = "rocksdb")]
#[test]
fn on_disk_too() {
    what_has_an_end_goes("state: { backend: rocksdb, location: state }\n");
}

/// How long a sensor has to be silent.
const SILENT_MS: i64 = 4_000;

/// Sensor 0 says something all the time, sensors 1 and 2 fall silent at once.
fn watched(more: &str) -> String {
    format!(
        "name: watched
checkpoint: {{ interval: 60ms, location: checkpoints }}
{more}sources:
  made:
    parallelism: 1
    generate:
      rows: 1200
      rate: 100
      splits: 1
      columns:
        sensor: \"CASE WHEN n < 30 THEN n % 3 ELSE 0 END\"
        at: \"to_timestamp_millis(n * 1000)\"
        reading: \"CAST(n AS DOUBLE)\"
    event_time: {{ column: at, max_out_of_orderness: 0s }}
operators:
  watched:
    from: made
    key_by: sensor
    plugin:
      component: \"{}\"
      config: {{ column: reading, deviations: 1000, silent_ms: {SILENT_MS}, silent_by: clock }}
sinks:
  out: {{ from: watched, discard: {{}} }}
  silent: {{ from: watched.silent, file: {{ path: silent/, format: jsonl }} }}
",
        plugin("anomaly").display()
    )
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("small")
}

/// Killed while the timers wait, and once more: each silence is told once.
fn silences_are_told(more: &str) {
    let folder = Folder::new();
    folder.write("p.yaml", watched(more));
    let begin_ms = now_ms();
    // Their last rows are in a checkpoint before the first kill, so that they do not come again.
    let read = |status: &Value, count: u64| {
        let nodes = status["nodes"].as_array().expect("nodes");
        nodes.iter().any(|node| node["name"] == "watched" && node["rows_in"].as_u64() > Some(count))
    };
    let running = start(&folder, &["-q", "--parallelism", "1"]);
    let before = status_when(&folder, |status| read(status, 40))["checkpoints"]["completed"].as_u64().unwrap_or(0);
    assert!(kill_when(&folder, running, |status| has_completed(status, before + 2), Duration::ZERO), "it has ended");
    let running = start(&folder, &["-q", "--parallelism", "3"]);
    kill_when(&folder, running, |status| has_completed(status, 3), Duration::from_millis(23));
    finish(&folder, &["--parallelism", "2"]);
    let mut times: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for line in rows(&folder, "silent") {
        let row: Value = serde_json::from_str(&line).expect("a row");
        let number = |name: &str| row[name].as_i64().unwrap_or_else(|| panic!("no number `{name}` in {line}"));
        times.entry(number("sensor")).or_default().push(number("since_ms"));
    }
    for sensor in [1, 2] {
        let [since_ms] = times.remove(&sensor).unwrap_or_default()[..] else { panic!("sensor {sensor}: {times:?}") };
        assert!(since_ms >= begin_ms && since_ms < now_ms() - SILENT_MS, "{since_ms} of {begin_ms}");
    }
    // The other one may have been silent while there was no host; never for two reasons at once.
    let others = times.remove(&0).unwrap_or_default();
    assert!(others.len() <= 2 && times.is_empty(), "{others:?} {times:?}");
}

#[test]
fn timers_of_the_clock_fire_once_through_kills() {
    silences_are_told("");
}

#[cfg(feature = "rocksdb")]
#[test]
fn timers_of_the_clock_fire_once_through_kills_on_disk() {
    silences_are_told("state: { backend: rocksdb, location: state }\n");
}

/// Rows that a list of one key may have: `STATE_ENTRIES_PER_KEY_MAX` of the host.
const LIST_ROWS_MAX: i64 = 65_536;

/// What a row-wise function writes goes to the host at the end of its batch: the rows that are too many are found all the same, and
/// all others count.
#[test]
fn rows_beyond_what_a_list_may_have_are_refused_alone() {
    let folder = Folder::new();
    let made = LIST_ROWS_MAX + 3;
    folder.write(
        "p.yaml",
        format!(
            "name: long
sources:
  made:
    parallelism: 1
    generate:
      rows: {made}
      splits: 1
      columns: {{ user: \"n * 0\", at: \"to_timestamp_millis(n)\", step: \"'s'\" }}
    event_time: {{ column: at, max_out_of_orderness: 0s }}
operators:
  ways:
    from: made
    key_by: user
    plugin:
      component: \"{}\"
      config: {{ gap_ms: 1000 }}
      on_error: dead_letter
      # A host that is not optimised takes seconds for so many rows.
      limits: {{ deadline: 60s }}
  shown: {{ from: ways, select: [journey_start, journey_end, steps, favourite] }}
sinks:
  out: {{ from: shown, file: {{ path: out/, format: jsonl }} }}
  refused: {{ from: ways.errors, file: {{ path: refused/, format: jsonl }} }}
",
            plugin("journeys").display()
        ),
    );
    folder.succeed(&["run", "p.yaml", "-q"]);
    let end = LIST_ROWS_MAX - 1;
    let due = format!(r#"{{"journey_start":0,"journey_end":{end},"steps":{LIST_ROWS_MAX},"favourite":"s"}}"#);
    let refused = rows(&folder, "refused");
    assert_eq!(rows(&folder, "out"), [due], "{refused:?}");
    assert_eq!(refused.len(), 3, "{refused:?}");
    assert!(refused.iter().all(|row| row.contains("entries of one key")), "{refused:?}");
}
