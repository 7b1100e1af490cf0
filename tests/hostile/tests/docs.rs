//! Holds the page for users to the guests and to the defaults in the code. `VOLLEY_BLESS=1 cargo test -p
//! volley-test-hostile --test docs` writes its tables anew.

use std::time::Duration;

use serde_json::Value;
use volley_test_hostile::{AggregateCase, CLASSES, Case, Outcome, aggregates, cases};
use volley_wasm::{CompileLimits, HostLimits, PluginLimits, Violation};

/// The page, from the root of the repository.
const PAGE: &str = "docs/what-a-plugin-can-and-cannot-do.md";

/// Reasons that no guest of the suite can bring about, and why.
const NOT_IN_THE_SUITE: &[(Violation, &str)] = &[
    (Violation::HostBudget, "takes many plugins at once: host/wasm/tests/plugin"),
    (Violation::ImpureOpen, "a fresh instance can see nothing that differs from the last"),
    (Violation::HttpDenied, "needs a host with a client and a grant: host/wasm/tests/plugin/grants.rs"),
    (Violation::HttpLimit, "needs a host with a client and a grant: host/wasm/src/http/side_tests.rs"),
    (
        Violation::Nondeterminism,
        "one call in 256 is looked at, unless more is asked for: host/wasm/tests/plugin/twice.rs",
    ),
    (Violation::OtherContract, "the host's own guard against calling an instance that trapped"),
];

#[test]
fn the_page_has_the_tables_of_the_code() {
    let path = format!("{}/../../{PAGE}", env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut written = page.clone();
    for (name, table) in [("guests", guests()), ("limits", limits()), ("fixed", fixed())] {
        written = with_section(&written, name, &table);
    }
    if page != written && std::env::var_os("VOLLEY_BLESS").is_some() {
        std::fs::write(&path, &written).unwrap_or_else(|error| panic!("{path}: {error}"));
        return;
    }
    let difference = page.lines().zip(written.lines()).find(|(found, due)| found != due);
    assert!(
        page == written,
        "{PAGE} is not what the code says (first at {difference:?}): run `VOLLEY_BLESS=1 cargo test -p \
         volley-test-hostile --test docs`"
    );
}

#[test]
fn every_reason_is_counted_for_some_guest() {
    let all: Vec<Case> = CLASSES.iter().flat_map(|class| cases(*class)).collect();
    let counted: Vec<&str> = all.iter().flat_map(Case::reasons).collect();
    for reason in Violation::ALL {
        let excused = NOT_IN_THE_SUITE.iter().any(|(excused, _)| *excused == reason);
        assert_ne!(counted.contains(&reason.as_str()), excused, "{reason}: no guest, or an excuse too many");
    }
}

/// The page with the lines between the marks of that section replaced.
fn with_section(page: &str, name: &str, text: &str) -> String {
    let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("{PAGE} lacks `{begin}`"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{PAGE} lacks `{end}`"));
    format!("{before}{begin}{text}{end}{after}")
}

/// What each guest tries, under which reason it is counted and what becomes of the job.
fn guests() -> String {
    let mut text = String::new();
    for class in CLASSES {
        text.push_str(&format!("\n### {}\n\n| it … | counted as | the job |\n|---|---|---|\n", class.title));
        for case in cases(*class) {
            let reasons: Vec<String> = case.reasons().map(|reason| format!("`{reason}`")).collect();
            text.push_str(&format!("| {} | {} | {} |\n", case.tries(), reasons.join(", "), consequence(&case)));
        }
    }
    text.push_str("\n### Aggregates\n\n| in … | it … | counted as | the job |\n|---|---|---|---|\n");
    for case in aggregates() {
        let AggregateCase { function, tries, reason, .. } = case;
        let job = if case.is_of_rows() { "stops, or leaves the rows out (`on_error`)" } else { "stops" };
        text.push_str(&format!("| `{function}` | {tries} | `{reason}` | {job} |\n"));
    }
    text + "\n"
}

/// What becomes of the job. Functions and formats have other ways than operators to go on.
fn consequence(case: &Case) -> &'static str {
    match (case.class.folder, case.outcome()) {
        ("scalar", Outcome::StoppedAtRow) => return "stops, or has a null there (`on_error: null`)",
        ("scalar", Outcome::Counted) => return "goes on, with a null there",
        ("codec", Outcome::RowsAside) if case.stops_in_a_file() == Some(true) => {
            return "in a file: stops; of messages: goes on, and that one is refused";
        }
        ("codec", Outcome::RowsAside) => return "goes on, and the rest is refused",
        _ => {}
    }
    match case.outcome() {
        Outcome::NotLoaded => "does not start: the file is refused",
        Outcome::NotStarted => "does not start",
        Outcome::StoppedAtRow => "stops, or leaves the row out (`on_error`)",
        Outcome::Stopped => "stops",
        Outcome::NoCheckpoint => "goes on without that checkpoint",
        Outcome::NotRestored => "does not go on from the checkpoint, which stays",
        Outcome::FailedAtTheEnd => "fails at its end; nothing it wrote is seen",
        Outcome::RowsAside => "goes on without the row (`on_error`)",
        Outcome::Counted => "goes on",
        Outcome::Harmless => "goes on: it is no harm",
    }
}

/// What a pipeline file may say under `limits:`. Meaning and bounds come from its schema, defaults from the code.
fn limits() -> String {
    let schema = volley_config::pipeline_schema(&[], &[]);
    let default = PluginLimits::default();
    let rows: [(&str, String, &str); 15] = [
        ("memory", bytes(default.memory_bytes_max), "`memory`"),
        ("deadline", time(default.deadline), "`deadline`"),
        ("open_deadline", time(default.open_deadline), "`deadline`"),
        ("output", bytes(default.output_bytes_max), "`output_bytes`"),
        ("output_rows", count(default.output_rows_max), "`output_rows`, `wrong_rows`"),
        ("rows_per_row", count(default.rows_per_row_max), "`amplification`"),
        ("bytes_per_row", bytes(default.bytes_per_row_max), "`amplification`"),
        ("transfer", bytes(default.transfer_bytes_max), "`transfer_bytes`"),
        ("table_elements", count(default.table_elements_max), "`table`"),
        ("http_requests", count(default.http_requests_max), "`http_limit`"),
        ("http_bytes", bytes(default.http_bytes_max), "`http_limit`"),
        ("http_timeout", time(default.http_request_timeout), ""),
        ("http_time", time(default.http_call_timeout), ""),
        ("restarts.max", count(default.restarts_max), "`quarantined`"),
        ("restarts.within", time(default.restarts_within), ""),
    ];
    let keys = |spec: &str| schema["$defs"][spec]["properties"].as_object().map_or(0, serde_json::Map::len);
    let settable = keys("LimitsSpec") - 1 + keys("RestartsSpec");
    assert_eq!(rows.len(), settable, "a limit of the pipeline file has no row here");
    let mut text = "\n| `limits:` | meaning | default | from – to | counted as |\n|---|---|---|---|---|\n".to_owned();
    for (name, default, reason) in rows {
        let property = match name.strip_prefix("restarts.") {
            Some(key) => &schema["$defs"]["RestartsSpec"]["properties"][key],
            None => &schema["$defs"]["LimitsSpec"]["properties"][name],
        };
        let (meaning, bounds) = described(name, property, &default);
        text.push_str(&format!("| `{name}` | {meaning} | {default} | {bounds} | {reason} |\n"));
    }
    text + "\n"
}

/// Meaning and bounds, out of `MEANING: LEAST to MOST. MORE. Default: DEFAULT.`
fn described(name: &str, property: &Value, default: &str) -> (String, String) {
    let text = property["description"].as_str().unwrap_or_else(|| panic!("{name} is not described")).replace('\n', " ");
    let (text, said) = text.rsplit_once("Default: ").unwrap_or_else(|| panic!("{name}: {text}"));
    assert_eq!(said, format!("{default}."), "{name}: schema and code differ in their default");
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_bound = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    let to = (1..words.len() - 1).find(|at| words[*at] == "to" && is_bound(words[at - 1]) && is_bound(words[at + 1]));
    let to = to.unwrap_or_else(|| panic!("{name} has no bounds: {text}"));
    let meaning = words[..to - 1].join(" ").trim_end_matches([':', '.']).to_owned();
    (meaning, format!("{} – {}", words[to - 1], words[to + 1].trim_end_matches('.')))
}

/// What no pipeline file can change.
fn fixed() -> String {
    let host = HostLimits::default();
    let compile = CompileLimits::default();
    let rows: [(&str, String, &str); 32] = [
        ("memory of all plugins of a host together", bytes(host.memory_bytes_max), "`host_budget`"),
        ("instances of all plugins of a host together", count(host.instances_max), "`host_budget`"),
        ("a component's file", bytes(volley_wasm::COMPONENT_BYTES_MAX), "`not_a_component`"),
        ("processor time that compiling it takes", time(compile.cpu), "`compile_limit`"),
        ("time that compiling it takes, by the wall", time(compile.wall), "`compile_limit`"),
        (
            "memory that compiling it takes",
            bytes(usize::try_from(compile.memory_bytes).unwrap_or(usize::MAX)),
            "`compile_limit`",
        ),
        ("rows that cross in one call", count(volley_wasm::CALL_ROWS_MAX), ""),
        ("bytes that cross in one call, unless one row has more", bytes(volley_wasm::CALL_BYTES_MAX), ""),
        ("outputs of one plugin", volley_wasm::PORTS_MAX.to_string(), "`bad_binding`"),
        ("a schema from a plugin", bytes(volley_ipc::SCHEMA_BYTES_MAX), "`bad_binding`"),
        ("fields of such a schema, children counted", count(volley_ipc::FIELDS_MAX), "`bad_binding`"),
        ("nesting of a type", volley_ipc::TYPE_DEPTH_MAX.to_string(), "`bad_binding`"),
        ("`emit` in one call", count(volley_wasm::EMITS_PER_CALL_MAX), "`emits`"),
        (
            "times that a call which answers `retry` is made again",
            count(volley_wasm::RETRIES_MAX as usize),
            "`retries`",
        ),
        (
            "the wait before each, as long as the plugin asks",
            time(Duration::from_millis(volley_wasm::RETRY_WAIT_MS_MAX)),
            "",
        ),
        ("lines for the log in one call", volley_wasm::LOG_LINES_PER_CALL_MAX.to_string(), "`log_lines`"),
        ("bytes of these lines together", bytes(volley_wasm::LOG_BYTES_PER_CALL_MAX), "`log_bytes`"),
        ("names of metrics of one operator", volley_wasm::METRIC_NAMES_MAX.to_string(), "`metric_series`"),
        ("states of one plugin", volley_wasm::STATES_MAX.to_string(), "`state_declared`"),
        ("keys that one instance knows by number; then all are void", count(volley_wasm::KEYS_LIVE_MAX), ""),
        (
            "a value of state as it is stored, map key included",
            bytes(volley_wasm::STATE_VALUE_BYTES_MAX),
            "`state_value`",
        ),
        ("state that one call has written", bytes(volley_wasm::STATE_BYTES_PER_CALL_MAX), "`state_value`"),
        (
            "state that one call reads, with some bytes for each entry and column",
            bytes(volley_wasm::STATE_READ_BYTES_PER_CALL_MAX),
            "`state_value`",
        ),
        (
            "entries of state that one call reads and writes",
            count(volley_wasm::STATE_ENTRIES_PER_CALL_MAX),
            "`state_entries`",
        ),
        ("entries of one map or list of one key", count(volley_wasm::STATE_ENTRIES_PER_KEY_MAX), "`state_entries`"),
        ("timers of one key", count(volley_wasm::TIMERS_PER_KEY_MAX), "`timers`"),
        ("timers that one call registers and deletes", count(volley_wasm::TIMERS_PER_CALL_MAX), "`timers`"),
        (
            "timers of one key that it registers, while timers fire, for times that the watermark has passed",
            count(volley_wasm::TIMERS_PER_WATERMARK_MAX as usize),
            "`timers`",
        ),
        (
            "timers of one key that it registers when the input has ended",
            count(volley_wasm::TIMERS_AFTER_END_MAX as usize),
            "`timers`",
        ),
        ("timers of one instance of an operator", count(volley_wasm::TIMERS_MAX), "`timers`"),
        ("parts of state that one instance holds itself", count(volley_wasm::PARTS_MAX), "`snapshot_parts`"),
        (
            "such a part; all of them together: `limits.output`",
            bytes(volley_wasm::STATE_VALUE_BYTES_MAX),
            "`snapshot_bytes`",
        ),
    ];
    let mut text = "\n| what | at most | counted as |\n|---|---|---|\n".to_owned();
    for (what, limit, reason) in rows {
        text.push_str(&format!("| {what} | {limit} | {reason} |\n"));
    }
    text + "\n"
}

/// A number of bytes as pipeline files write it.
fn bytes(count: usize) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.into_iter().find(|(shift, _)| count >= 1 << shift && count.trailing_zeros() >= *shift);
    unit.map_or_else(|| format!("{count}B"), |(shift, unit)| format!("{}{unit}", count >> shift))
}

/// A time as pipeline files write it.
fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    if time == Duration::from_secs(seconds) { format!("{seconds}s") } else { format!("{}ms", time.as_millis()) }
}

/// A number with its thousands apart.
fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
