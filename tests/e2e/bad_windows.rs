//! Pipelines with mistakes about event time, keys and windows: exit code, line, the nearest name, and no row moved.

use crate::support::Folder;

/// Lines 1 to 4; the operator follows on line 6.
const SOURCE: &str = "name: p\nsources:\n  in:\n    file: { path: in.csv }\n";
const TIME: &str = "    event_time: { column: at, max_out_of_orderness: 5s }\n";

/// `windows` reads `in` and is read by a sink.
fn pipeline(time: &str, windows: &str) -> String {
    format!(
        "{SOURCE}{time}operators:\n  windows: {{ from: in, {windows} }}\n\
         sinks:\n  out: {{ from: windows, file: {{ path: out.csv }} }}\n"
    )
}

fn refused(pipeline: &str, says: &[&str]) {
    let folder = Folder::new();
    folder.write("in.csv", "carrier,amount,at\nUA,1,2013-01-01T10:00:00Z\nAA,2,2013-01-01T11:00:00Z\n");
    folder.write("p.yaml", pipeline);
    for command in ["validate", "plan", "run"] {
        folder.run(&[command, "p.yaml"]).says(pipeline, 2, &[&["error: "], says].concat());
        assert_eq!(folder.files(), ["in.csv", "p.yaml"], "{pipeline}");
    }
}

#[test]
fn keys_are_columns() {
    let keyed = |key: &str| pipeline(TIME, &format!("key_by: {key}, aggregate: {{ n: count(*) }}"));
    refused(&keyed("carier"), &["p.yaml:7:3: operators.windows", "`carier`", "did you mean `carrier`?", "`amount`"]);
    refused(&keyed("[carrier, nothing_like_it]"), &["p.yaml:7:3", "`nothing_like_it`", "`carrier`, `amount`, `at`"]);
    refused(&keyed("[]"), &["p.yaml:7:32: operators.windows.key_by", "name at least one column"]);
}

#[test]
fn windows_have_a_length() {
    let window = |window: &str| {
        pipeline(TIME, &format!("key_by: carrier, window: {{ {window} }}, aggregate: {{ n: count(*) }}"))
    };
    refused(&window("tumbling: 0s"), &["p.yaml:7:61: operators.windows.window.tumbling", "`0s` is not within 1ms"]);
    refused(&window("tumbling: 1 fortnight"), &["p.yaml:7:61", "`1 fortnight` is not a length of time", "`200ms`"]);
    refused(&window("session: 30"), &["p.yaml:7:60", "`30` has no unit", "`30s`"]);
    refused(
        &window("sliding: { size: 1h, slide: 2h }"),
        &["p.yaml:7:79", "`2h` is more than the size", "in no window"],
    );
    refused(&window("sliding: { size: 1d, slide: 7ms }"), &["p.yaml:7:3", "panes", "let the slide divide the size"]);
    refused(&window("tumbling: 1h, late: late_rows"), &["p.yaml:7:3", "`windows.late_rows`, which nobody reads"]);
}

#[test]
fn windows_of_time_need_event_time() {
    for window in ["tumbling: 1h", "sliding: { size: 1h, slide: 5m }", "session: 1h"] {
        let windows = format!("key_by: carrier, window: {{ {window} }}, aggregate: {{ n: count(*) }}");
        refused(
            &pipeline("", &windows),
            &["p.yaml:6:3: operators.windows", "needs event time", "event_time: { column:"],
        );
    }
    let ordered = "key_by: carrier, aggregate: { first: first(amount) }";
    refused(&pipeline("", ordered), &["p.yaml:6:3: operators.windows", "first(amount)", "event_time"]);
}

#[test]
fn event_time_is_a_column_with_one_way_to_watermarks() {
    let with = |time: &str| {
        pipeline(&format!("    event_time: {{ {time} }}\n"), "key_by: carrier, aggregate: { n: count(*) }")
    };
    refused(
        &with("column: at"),
        &["p.yaml:5:5: sources.in.event_time", "max_out_of_orderness, strategy, watermark_column"],
    );
    refused(&with("column: att, strategy: monotonous"), &["p.yaml:5:17: sources.in.event_time", "did you mean `at`?"]);
    refused(&with("column: carrier, strategy: monotonous"), &["p.yaml:5:17", "`carrier` is Utf8", "a timestamp"]);
    refused(&with("column: at, watermark_column: amout"), &["p.yaml:5:17", "`amout`", "did you mean `amount`?"]);
    refused(&with("column: at, max_out_of_orderness: 5"), &["p.yaml:5:53", "`5` has no unit"]);
}

#[test]
fn aggregates_are_checked_against_the_columns() {
    let results = |results: &str| pipeline(TIME, &format!("key_by: carrier, aggregate: {{ {results} }}"));
    let place = "p.yaml:7:3: operators.windows";
    refused(&results("n: sum(amuont)"), &[place, "`sum(amuont)`", "did you mean `amount`?"]);
    refused(&results("n: summ(amount)"), &[place, "`summ(amount)`", "did you mean `sum`?"]);
    refused(&results("n: sum(carrier)"), &[place, "`sum(carrier)` takes numbers", "Utf8"]);
    refused(&results("n: amount"), &[place, "`amount` is a column and no aggregate"]);
    refused(
        &results("n: count(*), n: sum(amount)"),
        &["p.yaml:7:67: operators.windows.aggregate", "the key `n` stands here a second time"],
    );
    refused(&results("carrier: count(*)"), &[place, "two columns of the result would be called `carrier`"]);
    let window = "key_by: carrier, window: { tumbling: 1h }, aggregate: { window_end: count(*) }";
    refused(&pipeline(TIME, window), &[place, "two columns of the result would be called `window_end`"]);
}

/// A result that is put out twice would be counted twice.
#[test]
fn results_that_are_revised_are_not_aggregated_again() {
    let text = format!(
        "{SOURCE}{TIME}operators:\n  \
         hourly: {{ from: in, key_by: carrier, window: {{ tumbling: 1h, allowed_lateness: 1m }}, aggregate: {{ n: count(*) }} }}\n  \
         daily: {{ from: hourly, key_by: carrier, window: {{ tumbling: 1d }}, aggregate: {{ n: sum(n) }} }}\n\
         sinks:\n  out: {{ from: daily, file: {{ path: out.csv }} }}\n"
    );
    refused(&text, &["p.yaml:8:3: operators.daily", "`revision`", "`allowed_lateness`"]);
}

#[cfg(not(feature = "rocksdb"))]
#[test]
fn what_this_build_has_not_is_refused_with_the_reason() {
    let windows = "key_by: carrier, aggregate: { n: count(*) }";
    let rocksdb = pipeline(TIME, windows) + "state: { backend: rocksdb, location: state }\n";
    refused(&rocksdb, &["p.yaml:10:19: state.backend", "feature `rocksdb`", "`backend: memory`"]);
}

#[test]
fn repeats_need_keys_and_event_time() {
    let place = "p.yaml:7:3: operators.windows";
    refused(&pipeline(TIME, "dedupe: { by: carier, within: 1h }"), &[place, "did you mean `carrier`?"]);
    refused(&pipeline(TIME, "dedupe: { by: carrier, within: 0s }"), &["p.yaml:7:", "`0s` is not within 1ms"]);
    refused(&pipeline("", "dedupe: { by: carrier, within: 1h }"), &["p.yaml:6:3", "dedupe needs event time"]);
}
