//! Windows over the month of flights, compared row by row with what DuckDB makes of the same file.

use std::fmt::Write as _;

use crate::support::{Folder, flights, month, python};

/// Batches of one file are dealt out to all subtasks of its source. Where the order of rows decides, one of them keeps it.
const IN_ORDER: &str = "\n    parallelism: 1";
/// All rows of the month.
const ROWS: usize = 27_004;
/// What each window computes; tests/e2e/windows.py has the same in DuckDB's words.
const RESULTS: &str = r#"
      flights: count(*)
      departed: count(dep_delay)
      mean_delay: avg(dep_delay)
      total: sum(dep_delay)
      least: min(dep_delay)
      farthest: max(distance)
      deviation: stddev(dep_delay)
      places: count_distinct(dest)
      late: count(*) FILTER (WHERE dep_delay > 15)
"#;

/// The file goes back by less than a day and a half: a row is at most that far behind the latest. `more` are more settings of
/// the source.
fn pipeline(input: &str, more: &str, keyed: &str, sinks: &str) -> String {
    format!(
        "name: windows\nwatermark_interval: 0s\nsources:\n  flights:\n    file: {{ path: \"{input}\" }}\n    \
         event_time: {{ column: time_hour, max_out_of_orderness: 36h }}{more}\noperators:\n  windows:\n    from: flights\n    \
         {keyed}\n    aggregate:{RESULTS}sinks:\n  out: {{ from: windows, file: {{ path: out.parquet }} }}\n{sinks}"
    )
}

/// Runs the pipeline at each parallelism; DuckDB must find the same every time.
fn compare(question: &str, more: &str, keyed: &str, parallelism: &[&str]) {
    let folder = Folder::new();
    folder.write("p.yaml", pipeline(&month().display().to_string(), more, keyed, ""));
    for parallelism in parallelism {
        let summary = folder.succeed(&["run", "p.yaml", "--json", "-q", "--parallelism", parallelism]).json();
        assert_eq!(summary["rows_in"], ROWS);
        python("windows.py", &[question.as_ref(), &month(), &folder.path("out.parquet")]);
    }
}

#[test]
fn tumbling_windows_by_carrier_and_hour() {
    compare("hourly", "", "key_by: carrier\n    window: { tumbling: 1h }", &["1", "2", "4"]);
}

#[test]
fn sliding_windows() {
    compare("sliding", "", "key_by: [carrier]\n    window: { sliding: { size: 3h, slide: 30m } }", &["1", "3"]);
}

/// The same questions with next to nothing in memory.
#[test]
fn however_little_is_in_memory() {
    let disk = if cfg!(feature = "rocksdb") { "backend: rocksdb, location: state, memory: 1MiB, " } else { "" };
    let state = format!("state: {{ {disk}max_cache_entries: 50, max_pending_windows: 20 }}\n");
    for (question, keyed) in [
        ("hourly", "key_by: carrier\n    window: { tumbling: 1h }"),
        ("sliding", "key_by: [carrier]\n    window: { sliding: { size: 3h, slide: 30m } }"),
        ("sessions", "key_by: [carrier, origin]\n    window: { session: 2h }"),
    ] {
        let folder = Folder::new();
        folder.write("p.yaml", pipeline(&month().display().to_string(), "", keyed, &state));
        folder.succeed(&["run", "p.yaml", "-q", "--parallelism", "2"]);
        python("windows.py", &[question.as_ref(), &month(), &folder.path("out.parquet")]);
    }
}

#[test]
fn sessions() {
    compare("sessions", "", "key_by: [carrier, origin]\n    window: { session: 2h }", &["1", "3"]);
}

#[test]
fn windows_of_rows() {
    compare("counted", IN_ORDER, "key_by: carrier\n    window: { count: 1000 }", &["1", "3"]);
}

/// Without a window the result comes at the end of the input; a key may be null.
#[test]
fn no_window_at_all() {
    compare("all", "", "key_by: [carrier, tailnum]", &["1", "2"]);
}

#[test]
fn repeats_are_dropped() {
    let folder = Folder::new();
    let text = format!(
        "name: p\nsources:\n  flights:\n    file: {{ path: \"{}\" }}\n    \
         event_time: {{ column: time_hour, max_out_of_orderness: 36h }}{IN_ORDER}\noperators:\n  \
         first: {{ from: flights, dedupe: {{ by: [carrier, flight], within: 365d }} }}\n\
         sinks:\n  out: {{ from: first, file: {{ path: out.parquet }} }}\n",
        month().display()
    );
    folder.write("p.yaml", text);
    for parallelism in ["1", "3"] {
        folder.succeed(&["run", "p.yaml", "-q", "--parallelism", parallelism]);
        python("windows.py", &["deduped".as_ref(), &month(), &folder.path("out.parquet")]);
    }
}

/// Several files hold the watermark back until the last of them was opened, so that no row is late.
#[test]
fn a_file_for_each_day() {
    let folder = Folder::new();
    let text = flights(ROWS);
    let (header, rows) = text.split_once('\n').expect("a header");
    for day in 1..=31 {
        let prefix = format!("2013,1,{day},");
        let of_day = rows.split_inclusive('\n').filter(|row| row.starts_with(&prefix));
        folder.write(&format!("days/{day}.csv"), format!("{header}\n{}", of_day.collect::<String>()));
    }
    let window = "key_by: carrier\n    window: { tumbling: 1h }";
    folder.write("p.yaml", pipeline("days/", "", window, ""));
    for parallelism in ["1", "4"] {
        folder.succeed(&["run", "p.yaml", "-q", "--parallelism", parallelism]);
        python("windows.py", &["hourly".as_ref(), &month(), &folder.path("out.parquet")]);
    }
}

/// A hundred rows from years before, at the end of the file: they leave by the late output, and no result changes.
#[test]
fn rows_behind_the_watermark_are_late() {
    let folder = Folder::new();
    let mut text = flights(ROWS);
    for row in 0..100 {
        let (day, hour, flight) = (1 + row / 24, row % 24, 90_000 + row);
        writeln!(text, "2010,1,{day},,{hour}00,5,,,,UA,{flight},,EWR,IAH,,1400,5,15,2010-01-{day:02}T{hour:02}:00:00Z")
            .expect("a string");
    }
    folder.write("flights.csv", text);
    let window = "key_by: carrier\n    window: { tumbling: 1h, late: late_rows }";
    let late = "  late: { from: windows.late_rows, file: { path: late.jsonl } }\n";
    folder.write("p.yaml", pipeline("flights.csv", IN_ORDER, window, late));
    for parallelism in ["1", "2", "4"] {
        let summary = folder.succeed(&["run", "p.yaml", "--json", "-q", "--parallelism", parallelism]).json();
        assert_eq!(summary["rows_in"], ROWS + 100);
        python("windows.py", &["hourly".as_ref(), &month(), &folder.path("out.parquet"), &folder.path("late.jsonl")]);
    }
    // Without an output for them they are counted and dropped, and the results are the same.
    folder.write("p.yaml", pipeline("flights.csv", IN_ORDER, "key_by: carrier\n    window: { tumbling: 1h }", ""));
    let summary = folder.succeed(&["run", "p.yaml", "--json", "-q"]).json();
    let nodes = summary["nodes"].as_array().expect("a list");
    let late = nodes.iter().find(|node| node["name"] == "windows").map(|node| &node["rows_late"]);
    assert_eq!(late, Some(&100.into()), "{summary}");
    python("windows.py", &["hourly".as_ref(), &month(), &folder.path("out.parquet")]);
}

/// A job whose windows outgrow their memory says so; one whose pipeline allows more goes through.
#[test]
fn memory_of_windows_is_bounded() {
    let folder = Folder::new();
    let text = |memory: &str| {
        format!(
            "name: p\nstate: {{ memory: {memory} }}\nsources:\n  n: {{ generate: {{ rows: 200000, columns: {{ n: n }} }} }}\n\
             operators:\n  all: {{ from: n, key_by: n, aggregate: {{ rows: count(*) }} }}\n\
             sinks:\n  out: {{ from: all, discard: {{}} }}\n"
        )
    };
    folder.write("p.yaml", text("1MiB"));
    folder.run(&["run", "p.yaml", "-q"]).says("1MiB", 2, &["all", "limit is 1048576", "state: { memory:"]);
    folder.write("p.yaml", text("1GiB"));
    assert_eq!(folder.succeed(&["run", "p.yaml", "-q", "--json"]).json()["rows_out"], 200_000);
}

/// Rows go to windows by key, which the drawing shows; a single instance reads them directly.
#[test]
fn the_plan_draws_the_exchange_by_key() {
    let folder = Folder::new();
    let window = "key_by: carrier\n    window: { tumbling: 1h, late: late_rows }";
    let late = "  late: { from: windows.late_rows, file: { path: late.jsonl } }\n";
    folder.write("p.yaml", pipeline(&month().display().to_string(), "", window, late));
    let drawn = folder.succeed(&["plan", "p.yaml", "--parallelism", "2"]);
    assert!(drawn.text().contains("└≈≈ windows"), "{}", drawn.text());
    assert!(drawn.text().contains("by carrier tumbling 1h: flights = count(*), departed = count(dep_delay)"));
    assert!(drawn.text().contains("├═ late_rows ═ late") || drawn.text().contains("└═ late_rows ═ late"));
    let single = folder.succeed(&["plan", "p.yaml"]);
    assert!(single.text().contains("└── windows"), "{}", single.text());
    let plan = folder.succeed(&["plan", "p.yaml", "--parallelism", "2", "--json"]).json().to_string();
    assert!(plan.contains("\"key\""), "{plan}");
}
