//! `volley-host state`: what a killed job's checkpoints hold, row by row, is what a model says of the rows that were read by then.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::checkpoints::{has_completed, start};
use crate::support::{Folder, Outcome, plugin, status_when};

/// Drivers that rows are of.
const DRIVERS: i64 = 7;
/// A session ends after so much time without a row.
const GAP_MS: i64 = 9_000;
const MINUTE_MS: i64 = 60_000;
const WITHIN_MS: i64 = 10_000;
const DAY_MS: i64 = 86_400_000;

/// The time of a row: a second each, and a break after every hundred.
fn at_ms(row: i64) -> i64 {
    row * 1_000 + row / 100 * 20_000
}

/// One operator of each kind that keeps state.
fn pipeline(more: &str) -> String {
    let operators = ["minutes", "visits", "fives", "firsts", "all", "sessions", "plain"];
    let sinks = operators.map(|name| format!("  to_{name}: {{ from: {name}, discard: {{}} }}\n")).concat();
    format!(
        "name: looked
parallelism: 2
watermark_interval: 0s
checkpoint: {{ interval: 100ms, location: checkpoints }}
{more}sources:
  made:
    parallelism: 1
    generate:
      rows: 40000
      rate: 3000
      splits: 1
      columns: {{ id: n, driver: \"n % {DRIVERS}\", at: \"to_timestamp_millis(n * 1000 + n / 100 * 20000)\" }}
    event_time: {{ column: at, max_out_of_orderness: 0s }}
operators:
  minutes: {{ from: made, key_by: driver, window: {{ tumbling: 1m }}, aggregate: {{ n: count(*), mean: avg(id) }} }}
  visits: {{ from: made, key_by: driver, window: {{ session: 9s }}, aggregate: {{ total: sum(id) }} }}
  fives: {{ from: made, key_by: driver, window: {{ count: 5 }}, aggregate: {{ total: sum(id) }} }}
  firsts: {{ from: made, dedupe: {{ by: driver, within: 10s }} }}
  all: {{ from: made, dedupe: {{ by: id, within: 1d }} }}
  sessions:
    from: made
    key_by: driver
    plugin: {{ component: \"{}\", config: {{ gap_ms: {GAP_MS} }} }}
  plain: {{ from: made, filter: driver > 100 }}
sinks:
{sinks}",
        plugin("sessionizer").display()
    )
}

/// The folder of a job that was killed in the middle, and where its hosts make temporary folders.
fn killed(more: &str) -> (Folder, tempfile::TempDir) {
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = Folder::with_environment(vec![("TMPDIR".to_owned(), temporary.path().display().to_string())]);
    folder.write("p.yaml", pipeline(more));
    let running = start(&folder, &["-q"]);
    status_when(&folder, |status| has_completed(status, 5));
    running.signal("KILL");
    assert_eq!(running.finish().code, None, "it was killed before its end");
    (folder, temporary)
}

/// A checkpoint by what its manifest says: how many rows were read, and how far event time had come.
struct Moment {
    epoch: String,
    rows: i64,
    watermark_ms: i64,
}

impl Moment {
    fn of(folder: &Folder, epoch: &str) -> Self {
        let manifest = folder.succeed(&["checkpoints", "inspect", "p.yaml", epoch, "--json"]).json();
        let read_to = manifest["read_to"]["made"].as_object().expect("splits").values().next().expect("one split");
        // The last eight bytes, little-endian; words where it has not begun.
        let digits = read_to.as_str().and_then(|text| text.get(text.len().checked_sub(16)?..));
        let rows = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).map_or(0, u64::swap_bytes);
        let watermark_ms = manifest["operators"]["minutes"]["watermark"]["at_ms"].as_i64().unwrap_or(i64::MIN);
        let epoch = manifest["epoch"].as_u64().expect("a number").to_string();
        Self { epoch, rows: i64::try_from(rows).expect("few"), watermark_ms }
    }
}

fn complete(folder: &Folder) -> Vec<String> {
    let list = folder.succeed(&["checkpoints", "list", "p.yaml", "--json"]).json();
    let all = list["checkpoints"].as_array().expect("a list").iter();
    let complete = all.filter(|entry| entry["state"] == "complete");
    complete.map(|entry| entry["epoch"].as_u64().expect("a number").to_string()).collect()
}

/// A time as JSON has it; all are of one day.
fn time(ms: i64) -> String {
    let (seconds, rest) = (ms.div_euclid(1_000), ms.rem_euclid(1_000));
    let rest = if rest == 0 { String::new() } else { format!(".{rest:03}") };
    format!("1970-01-01T{:02}:{:02}:{:02}{rest}Z", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// Rows of a state as they are printed.
pub(crate) fn lines(outcome: &Outcome) -> Vec<Value> {
    outcome.text().lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// The rows of a state without their key groups, which only have to be some.
fn look(folder: &Folder, arguments: &[&str]) -> BTreeSet<String> {
    let all = [&["state", "p.yaml"], arguments, &["--limit", "all", "--json"]].concat();
    let mut rows = lines(&folder.succeed(&all));
    let mut texts = BTreeSet::new();
    for row in &mut rows {
        let group = row.as_object_mut().and_then(|row| row.remove("key_group"));
        assert!(group.as_ref().and_then(Value::as_u64).is_some_and(|group| group < 256), "{group:?}");
        assert!(texts.insert(row.to_string()), "twice: {row}");
    }
    texts
}

fn texts(rows: impl IntoIterator<Item = Value>) -> BTreeSet<String> {
    rows.into_iter().map(|row| row.to_string()).collect()
}

/// The rows of each driver, in order.
fn by_driver(moment: &Moment) -> BTreeMap<i64, Vec<i64>> {
    let mut drivers: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    (0..moment.rows).for_each(|row| drivers.entry(row % DRIVERS).or_default().push(row));
    drivers
}

/// Stretches of a driver's rows that are no further apart than the gap.
fn stretches(moment: &Moment, apart: impl Fn(i64) -> bool) -> Vec<(i64, Vec<i64>)> {
    let mut all: Vec<(i64, Vec<i64>)> = Vec::new();
    for (driver, rows) in by_driver(moment) {
        let first = all.len();
        for row in rows {
            let goes_on = all.get(first..).and_then(<[_]>::last).and_then(|(_, rows)| rows.last());
            match goes_on.is_some_and(|last| !apart(at_ms(row) - at_ms(*last))) {
                true => all.last_mut().expect("just seen").1.push(row),
                false => all.push((driver, vec![row])),
            }
        }
    }
    all
}

/// Compares every state of a checkpoint with the model.
fn check(folder: &Folder, moment: &Moment) {
    let now_ms = moment.watermark_ms;
    let at = |operator: &[&str]| look(folder, &[operator, &["--checkpoint", &moment.epoch]].concat());

    let mut minutes: BTreeMap<(i64, i64), (i64, i64)> = BTreeMap::new();
    for row in 0..moment.rows {
        let of = minutes.entry((row % DRIVERS, at_ms(row) / MINUTE_MS * MINUTE_MS)).or_default();
        *of = (of.0 + 1, of.1 + row);
    }
    let open = minutes.into_iter().filter(|((_, start), _)| start + MINUTE_MS - 1 > now_ms);
    let expected = open.map(|((driver, start), (n, sum))| {
        let (start, end) = (time(start), time(start + MINUTE_MS));
        json!({ "driver": driver, "window_start": start, "window_end": end, "n_count": n, "mean_count": n,
                "mean_sum": sum as f64 })
    });
    assert_eq!(at(&["minutes"]), texts(expected), "minutes at {now_ms}");

    let visits = stretches(moment, |apart| apart >= GAP_MS);
    let open = visits.iter().filter(|(_, rows)| at_ms(rows[rows.len() - 1]) + GAP_MS - 1 > now_ms);
    let expected = open.clone().map(|(driver, rows)| {
        let end = time(at_ms(rows[rows.len() - 1]) + GAP_MS);
        json!({ "driver": driver, "window_start": time(at_ms(rows[0])), "window_end": end, "rows": rows.len(),
                "revision": null, "is_changed": true, "total_sum": rows.iter().sum::<i64>() })
    });
    assert_eq!(at(&["visits", "windows"]), texts(expected), "visits at {now_ms}");
    let noted: BTreeSet<i64> = at(&["visits", "due"])
        .iter()
        .map(|row| serde_json::from_str::<Value>(row).expect("JSON")["driver"].as_i64().expect("a driver"))
        .collect();
    assert!(open.map(|(driver, _)| *driver).all(|driver| noted.contains(&driver)), "{noted:?}");

    let expected = by_driver(moment).into_iter().filter_map(|(driver, rows)| {
        let left = &rows[rows.len() / 5 * 5..];
        let row = json!({ "driver": driver, "rows": left.len(), "total_sum": left.iter().sum::<i64>() });
        (!left.is_empty()).then_some(row)
    });
    assert_eq!(at(&["fives"]), texts(expected), "fives at {}", moment.rows);

    let mut firsts = Vec::new();
    for (driver, rows) in by_driver(moment) {
        let mut last_ms = None;
        for at_ms in rows.into_iter().map(at_ms) {
            if last_ms.is_none_or(|last_ms| at_ms - last_ms >= WITHIN_MS) {
                last_ms = Some(at_ms);
                firsts.push((driver, at_ms));
            }
        }
    }
    let known = firsts.into_iter().filter(|(_, at_ms)| (at_ms / WITHIN_MS + 2) * WITHIN_MS - 2 > now_ms);
    let expected = known.map(|(driver, at_ms)| json!({ "driver": driver, "kept_at": time(at_ms) }));
    assert_eq!(at(&["firsts"]), texts(expected), "firsts at {now_ms}");

    assert!(now_ms < DAY_MS, "a day of rows would be too many");
    let expected = (0..moment.rows).map(|row| json!({ "id": row, "kept_at": time(at_ms(row)) }));
    assert_eq!(at(&["all"]), texts(expected), "all at {now_ms}");

    let sessions = stretches(moment, |apart| apart > GAP_MS);
    let open: BTreeMap<i64, (i64, i64, usize)> = sessions
        .iter()
        .map(|(driver, rows)| (*driver, (at_ms(rows[0]), at_ms(rows[rows.len() - 1]), rows.len())))
        .filter(|(_, (_, end, _))| end + GAP_MS > now_ms)
        .collect();
    let expected = open.iter().map(
        |(driver, (start, end, rows))| json!({ "driver": driver, "value0": start, "value1": end, "value2": rows }),
    );
    assert_eq!(at(&["sessions", "session"]), texts(expected), "sessions at {now_ms}");
    // Each session has a timer that has not fired, and at most one for the time before it began anew.
    let timers = at(&["sessions", "host-event-timers"]);
    let timers: Vec<Value> = timers.iter().map(|row| serde_json::from_str(row).expect("JSON")).collect();
    for timer in &timers {
        assert_eq!((&timer["domain"], &timer["tag"]), (&"event-time".into(), &0.into()), "{timer}");
        let (_, end, _) = open[&timer["driver"].as_i64().expect("a driver")];
        let fires = timer["at"].as_str().expect("a time").to_owned();
        assert!(fires > time(now_ms) && fires <= time(end + GAP_MS), "{timer} at {now_ms}");
    }
    let with_timer: BTreeSet<i64> = timers.iter().filter_map(|timer| timer["driver"].as_i64()).collect();
    assert_eq!(with_timer, open.keys().copied().collect());
    let counts = at(&["sessions", "host-timer-counts"]);
    let counted = |driver: i64| timers.iter().filter(|timer| timer["driver"] == driver).count();
    let expected = with_timer.into_iter().map(|driver| json!({ "driver": driver, "timers": counted(driver) }));
    assert_eq!(counts, texts(expected));
    assert_eq!(at(&["sessions", "host-clock-timers"]), BTreeSet::new());
}

fn every_state_is_as_the_model_says(more: &str) {
    let (folder, temporary) = killed(more);
    let before = folder.files();
    let epochs = complete(&folder);
    assert!(epochs.len() >= 3, "{epochs:?}");
    let newest = Moment::of(&folder, "newest");
    let oldest = epochs.iter().rev().map(|epoch| Moment::of(&folder, epoch)).find(|moment| moment.rows > 0);
    let oldest = oldest.expect("rows were read");
    assert!(oldest.rows > 0 && oldest.rows < newest.rows, "{} of {}", oldest.rows, newest.rows);
    for moment in [&newest, &oldest] {
        check(&folder, moment);
    }
    list_and_query(&folder, &newest);
    assert_eq!(folder.files(), before, "nothing was changed");
    let left = std::fs::read_dir(temporary.path()).expect("a folder").count();
    assert_eq!(left, 0, "temporary folders are removed");
}

/// Lists, filters, cuts and counts.
fn list_and_query(folder: &Folder, moment: &Moment) {
    let list = folder.succeed(&["state", "p.yaml", "sessions", "--json"]).json();
    assert_eq!((&list["job"], &list["operator"]), (&"looked".into(), &"sessions".into()), "{list}");
    let states = list["states"].as_array().expect("states");
    let names: Vec<&str> = states.iter().filter_map(|state| state["state"].as_str()).collect();
    assert_eq!(names, ["session", "host-event-timers", "host-clock-timers", "host-timer-counts", "host-component"]);
    let session = &states[0];
    let rows = look(folder, &["sessions", "session"]).len();
    assert_eq!((&session["entries"], &session["key_groups"]), (&rows.into(), &256.into()), "{session}");
    assert!(session["bytes"].as_u64() > Some(0) && session["kind"] == "value", "{session}");
    assert!(session["layout"].as_str().is_some_and(|text| text.starts_with("keys [driver Int64]; value [")));
    let columns: Vec<&Value> = session["columns"].as_array().expect("columns").iter().map(|c| &c["name"]).collect();
    assert_eq!(columns, ["driver", "value0", "value1", "value2", "key_group"]);
    let text = folder.succeed(&["state", "p.yaml", "visits"]);
    for part in
        ["`visits` in checkpoint ", "│ state ", "sessions ", "256 of 256", "driver, window_start, window_end, rows"]
    {
        assert!(text.text().contains(part), "no `{part}` in {}", text.text());
    }

    let of_three = |rows: BTreeSet<String>| rows.into_iter().filter(|row| row.contains("\"driver\":3,")).collect();
    let three: BTreeSet<String> = of_three(look(folder, &["fives"]));
    assert_eq!(look(folder, &["fives", "--where", "driver = 3 AND total_sum >= 0"]), three);
    let early = look(folder, &["minutes", "--where", "window_end <= '1970-01-01T00:00:00Z'"]);
    assert_eq!(early, BTreeSet::new());
    let half = moment.rows / 2;
    let filter = format!("id < {half}");
    let counted = folder.succeed(&["state", "p.yaml", "all", "--where", &filter, "--count"]);
    assert_eq!(counted.text(), format!("{half}\n"));
    let counted = folder.succeed(&["state", "p.yaml", "all", "kept", "--count", "--json"]).json();
    assert_eq!(counted, json!({ "rows": moment.rows }));

    let few = folder.succeed(&["state", "p.yaml", "all", "--limit", "2", "--select", "kept_at,id", "--json"]);
    let rows = lines(&few);
    assert_eq!(rows.len(), 2);
    let has_both = |row: &Value| row["id"].is_i64() && row["kept_at"].is_string();
    assert!(rows.iter().all(|row| has_both(row) && row.as_object().is_some_and(|row| row.len() == 2)), "{rows:?}");
    assert!(few.text().starts_with("{\"kept_at\":"), "in the order that was asked for: {}", few.text());
    let left = grouped(moment.rows - 2);
    assert!(few.stderr.contains(&format!("2 rows are shown, and there are {left} more: --limit")), "{}", few.stderr);
    let table = folder.succeed(&["state", "p.yaml", "all"]);
    let left = grouped(moment.rows - 100);
    assert!(table.stderr.contains(&format!("100 rows are shown, and there are {left} more")), "{}", table.stderr);
    assert!(table.text().contains("│ id   kept_at ") || table.text().contains(" kept_at "), "{}", table.text());
    // Two lines of frame, the heads and the line below them.
    assert_eq!(table.text().lines().count(), 104, "{}", table.text());
    let none = folder.succeed(&["state", "p.yaml", "all", "--where", "id < 0"]);
    assert!(none.text().contains("key_group") && none.stderr.is_empty(), "{}{}", none.text(), none.stderr);
}

/// A number as people read it.
fn grouped(number: i64) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", number / 1_000, number % 1_000) }
}

#[test]
fn state_in_memory_is_as_a_model_says() {
    every_state_is_as_the_model_says("");
}

#[cfg(feature = "rocksdb")]
#[test]
fn state_on_disk_is_as_a_model_says() {
    every_state_is_as_the_model_says("state: { backend: rocksdb, location: state }\n");
}
