//! Windows against a model that goes row by row: the same results at every parallelism, batch size and order.
#![allow(clippy::unwrap_used, reason = "a test helper may panic like a test")]

mod common;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int64Type, TimestampMillisecondType};
use common::aggregate::SumAndCount;
use common::{name, plan, port};
use proptest::prelude::*;
use volley_api::{PortName, ReadOptions};
use volley_connector_memory::{MemoryHandle, MemorySink, MemorySource};
use volley_runtime::{EventTime, JobOptions, LogicalPlan, Window, WindowFactory};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    user: Option<i64>,
    time_ms: i64,
    amount: i64,
}

fn batch(rows: &[Row]) -> RecordBatch {
    let users: ArrayRef = Arc::new(rows.iter().map(|row| row.user).collect::<Int64Array>());
    let words: ArrayRef =
        Arc::new(rows.iter().map(|row| row.user.map(|user| format!("u{user}"))).collect::<StringArray>());
    let times: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.time_ms)));
    let amounts: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.amount)));
    RecordBatch::try_from_iter_with_nullable([
        ("user", users, true),
        ("word", words, true),
        ("ts", times, true),
        ("amount", amounts, false),
    ])
    .unwrap()
}

/// A plan of a source with event time and one window, its results, and its late rows.
fn windowed(
    splits: Vec<Vec<RecordBatch>>,
    bound_ms: u64,
    parallelism: u32,
    factory: WindowFactory,
) -> (LogicalPlan, MemoryHandle, MemoryHandle) {
    let mut plan = plan(parallelism);
    let source = MemorySource::new(batch(&[]).schema(), splits).unwrap();
    plan.add_source(name("rows"), Arc::new(source), None).unwrap();
    plan.set_event_time(&name("rows"), EventTime::bounded("ts", Duration::from_millis(bound_ms)));
    let factory = factory.with_late_port(PortName::new("late").unwrap());
    plan.add_operator(name("window"), vec![port("rows")], Arc::new(factory), None).unwrap();
    let mut handle = |node: &str, input: &str| {
        let sink = MemorySink::new();
        let handle = sink.handle();
        plan.add_sink(name(node), vec![port(input)], Arc::new(sink), None).unwrap();
        handle
    };
    let (out, late) = (handle("out", "window"), handle("late", "window.late"));
    (plan, out, late)
}

fn run(plan: LogicalPlan, read_rows: usize) -> volley_api::Result<()> {
    let options = JobOptions {
        read: ReadOptions { batch_rows_max: NonZeroUsize::new(read_rows).unwrap() },
        watermark_interval: Duration::ZERO,
        ..JobOptions::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { volley_runtime::start(plan.check()?.chain(), options).await?.wait().await }).map(drop)
}

type Results = BTreeMap<(Option<i64>, i64, i64), (i64, i64)>;

/// Sum and count by user and window; of several results of one the last. Users are read from either key column.
fn results(batches: &[RecordBatch]) -> Results {
    let mut results = Results::new();
    for batch in batches {
        let ints = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().clone();
        let times = |name: &str| {
            batch.column_by_name(name).map(|column| column.as_primitive::<TimestampMillisecondType>().clone())
        };
        let users: Int64Array = match batch.column_by_name("user") {
            Some(column) => column.as_primitive::<Int64Type>().clone(),
            None => {
                let words = batch.column_by_name("word").unwrap().as_string::<i32>();
                words.iter().map(|word| word.map(|word| word[1..].parse().unwrap())).collect()
            }
        };
        for row in 0..batch.num_rows() {
            let at = |name: &str| times(name).map_or(0, |times| times.value(row));
            let user = users.is_valid(row).then(|| users.value(row));
            results.insert(
                (user, at("window_start"), at("window_end")),
                (ints("sum").value(row), ints("count").value(row)),
            );
        }
    }
    results
}

fn by_window(rows: &[Row], windows_of: impl Fn(i64) -> Vec<(i64, i64)>) -> Results {
    let mut results = Results::new();
    for row in rows {
        for (start, end) in windows_of(row.time_ms) {
            let (sum, count) = results.entry((row.user, start, end)).or_default();
            (*sum, *count) = (*sum + row.amount, *count + 1);
        }
    }
    results
}

fn by_session(rows: &[Row], gap: i64) -> Results {
    let mut results = Results::new();
    let mut sorted = rows.to_vec();
    sorted.sort_by_key(|row| (row.user, row.time_ms));
    let mut at = 0;
    while at < sorted.len() {
        let (start, mut end) = (at, sorted[at].time_ms + gap);
        while at < sorted.len() && sorted[at].user == sorted[start].user && sorted[at].time_ms < end {
            end = sorted[at].time_ms + gap;
            at += 1;
        }
        let sum = sorted[start..at].iter().map(|row| row.amount).sum();
        results.insert((sorted[start].user, sorted[start].time_ms, end), (sum, (at - start) as i64));
    }
    results
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Rows whose times ascend but for `disorder_ms`.
fn rows(disorder_ms: i64) -> impl Strategy<Value = Vec<Row>> {
    let row = (prop::option::weighted(0.9, 0_i64..20), 0_i64..30, 0..=disorder_ms, 0_i64..100);
    prop::collection::vec(row, 0..600).prop_map(move |rows| {
        let mut at = -2_000;
        let mut next = |(user, step, back, amount): (Option<i64>, i64, i64, i64)| {
            at += step;
            Row { user, time_ms: at - back, amount }
        };
        rows.into_iter().map(&mut next).collect()
    })
}

const DISORDER_MS: i64 = 500;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_window_is_what_a_model_says(
        rows in rows(DISORDER_MS),
        read_rows in 1_usize..200,
        parallelism in 1_u32..5,
        size in 1_u64..2_000,
        slides in 1_u64..6,
        by_word in any::<bool>(),
        lateness in prop_oneof![Just(0), Just(300_u64)],
    ) {
        let slide = size.div_ceil(slides);
        let windows = [Window::Tumbling { size: ms(size) }, Window::Sliding { size: ms(size), slide: ms(slide) }, Window::Session { gap: ms(size / 10 + 1) }, Window::Global];
        for window in windows.into_iter().filter(|window| !matches!(window, Window::Sliding { .. }) || size % slide == 0 || size < 500) {
            let key = if by_word { "word" } else { "user" };
            let factory = WindowFactory::new(vec![key.to_owned()], window, Arc::new(SumAndCount)).with_allowed_lateness(ms(lateness));
            let (plan, out, late) = windowed(vec![vec![batch(&rows)]], DISORDER_MS as u64, parallelism, factory);
            run(plan, read_rows).unwrap();
            let expected = match window {
                Window::Tumbling { .. } => by_window(&rows, |time| { let start = time.div_euclid(size as i64) * size as i64; vec![(start, start + size as i64)] }),
                Window::Sliding { .. } => by_window(&rows, |time| {
                    let last = time.div_euclid(slide as i64) * slide as i64;
                    (0..).map(|step| last - step * slide as i64).take_while(|start| time < start + size as i64).map(|start| (start, start + size as i64)).collect()
                }),
                Window::Session { gap } => by_session(&rows, gap.as_millis() as i64),
                _ => by_window(&rows, |_| vec![(0, 0)]),
            };
            prop_assert_eq!(late.num_rows(), 0);
            prop_assert_eq!(results(&out.batches()), expected, "{:?}", window);
        }
    }

    #[test]
    fn no_row_is_lost_however_late(rows in rows(3_000), read_rows in 1_usize..60, parallelism in 1_u32..4, lateness in 0_u64..1_000) {
        for window in [Window::Tumbling { size: ms(400) }, Window::Sliding { size: ms(400), slide: ms(200) }, Window::Session { gap: ms(50) }] {
            // A session that grows by a late row is another session: what was put out of the shorter one stays.
            let allowed = if matches!(window, Window::Session { .. }) { 0 } else { lateness };
            let factory = WindowFactory::new(vec!["user".to_owned()], window, Arc::new(SumAndCount)).with_allowed_lateness(ms(allowed));
            let (plan, out, late) = windowed(vec![vec![batch(&rows)]], 100, parallelism, factory);
            run(plan, read_rows).unwrap();
            let counted: i64 = results(&out.batches()).values().map(|(_, count)| count).sum();
            let late_rows = late.batches();
            for batch in &late_rows {
                prop_assert_eq!(batch.schema(), volley_runtime::late_schema());
            }
            // Each row is in two sliding windows, of which one may have gone before it came.
            if !matches!(window, Window::Sliding { .. }) {
                prop_assert_eq!(counted as usize + late.num_rows(), rows.len(), "{:?}", window);
            } else {
                prop_assert!(counted as usize <= 2 * (rows.len() - late.num_rows()));
                prop_assert!(counted as usize + late.num_rows() >= rows.len());
            }
        }
    }

    #[test]
    fn windows_of_rows_are_cut_by_arrival(rows in rows(0), read_rows in 1_usize..60, size in 1_u64..40) {
        let factory = WindowFactory::new(vec!["user".to_owned()], Window::Count { rows: size }, Arc::new(SumAndCount));
        let (plan, out, _) = windowed(vec![vec![batch(&rows)]], 0, 1, factory);
        run(plan, read_rows).unwrap();
        let mut of_user: BTreeMap<Option<i64>, Vec<i64>> = BTreeMap::new();
        rows.iter().for_each(|row| of_user.entry(row.user).or_default().push(row.amount));
        let mut expected: Vec<(Option<i64>, i64, i64)> = of_user
            .iter()
            .flat_map(|(user, amounts)| amounts.chunks(size as usize).map(|chunk| (*user, chunk.iter().sum(), chunk.len() as i64)))
            .collect();
        let mut found = Vec::new();
        for batch in out.batches() {
            let ints = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().clone();
            let (users, sums, counts) = (ints("user"), ints("sum"), ints("count"));
            found.extend((0..batch.num_rows()).map(|row| (users.is_valid(row).then(|| users.value(row)), sums.value(row), counts.value(row))));
        }
        expected.sort_unstable();
        found.sort_unstable();
        prop_assert_eq!(found, expected);
    }
}

fn row(user: i64, time_ms: i64, amount: i64) -> Row {
    Row { user: Some(user), time_ms, amount }
}

fn revisions(batches: &[RecordBatch]) -> Vec<(i64, i64, i64, i64)> {
    let rows = batches.iter().flat_map(|batch| {
        let ints = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec();
        let starts =
            batch.column_by_name("window_start").unwrap().as_primitive::<TimestampMillisecondType>().values().to_vec();
        let (users, sums, revisions) = (ints("user"), ints("sum"), ints("revision"));
        (0..batch.num_rows()).map(move |row| (starts[row], users[row], sums[row], revisions[row])).collect::<Vec<_>>()
    });
    rows.collect()
}

#[test]
fn late_rows_within_the_allowance_revise_and_others_are_put_aside() {
    let batches = vec![
        batch(&[row(1, 0, 1), row(2, 5, 2), row(1, 100, 4)]),
        batch(&[row(1, 9, 8), row(3, 8, 16), row(9, 101, 0)]),
        batch(&[row(1, 1, 32)]),
        batch(&[row(1, 125, 64)]),
        batch(&[row(1, 2, 128)]),
    ];
    for window in [Window::Tumbling { size: ms(10) }, Window::Sliding { size: ms(10), slide: ms(10) }] {
        let factory =
            WindowFactory::new(vec!["user".to_owned()], window, Arc::new(SumAndCount)).with_allowed_lateness(ms(100));
        let (plan, out, late) = windowed(vec![batches.clone()], 0, 1, factory);
        run(plan, 100).unwrap();
        let first_window: Vec<_> = revisions(&out.batches()).into_iter().filter(|(start, ..)| *start == 0).collect();
        assert_eq!(first_window, [(0, 1, 1, 0), (0, 2, 2, 0), (0, 1, 9, 1), (0, 3, 16, 0), (0, 1, 41, 2)]);
        let late = late.batches();
        assert_eq!(late.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
        assert_eq!(
            late[0].column_by_name("event_data").unwrap().as_string::<i32>().value(0),
            r#"{"user":1,"word":"u1","ts":2,"amount":128}"#
        );
        assert_eq!(late[0].column_by_name("lateness_ms").unwrap().as_primitive::<Int64Type>().value(0), 122);
    }
}

#[test]
fn a_late_row_between_two_sessions_makes_one_of_them() {
    let batches = vec![batch(&[row(1, 0, 1), row(1, 18, 2)]), batch(&[row(2, 60, 4)]), batch(&[row(1, 9, 8)])];
    let factory = WindowFactory::new(vec!["user".to_owned()], Window::Session { gap: ms(10) }, Arc::new(SumAndCount))
        .with_allowed_lateness(ms(100));
    let (plan, out, late) = windowed(vec![batches], 0, 1, factory);
    run(plan, 100).unwrap();
    assert_eq!(revisions(&out.batches()), [(0, 1, 1, 0), (18, 1, 2, 0), (0, 1, 11, 1), (60, 2, 4, 0)]);
    assert_eq!(late.num_rows(), 0);
}

#[test]
fn a_session_that_has_fired_and_goes_on_fires_again() {
    let batches = vec![
        batch(&[row(1, 0, 1), row(9, 0, 0)]),
        batch(&[row(9, 12, 0)]),
        batch(&[row(1, 7, 2)]),
        batch(&[row(9, 60, 0)]),
    ];
    let factory = WindowFactory::new(vec!["user".to_owned()], Window::Session { gap: ms(10) }, Arc::new(SumAndCount))
        .with_allowed_lateness(ms(100));
    let (plan, out, late) = windowed(vec![batches], 0, 1, factory);
    run(plan, 100).unwrap();
    let of_user: Vec<_> = revisions(&out.batches()).into_iter().filter(|(_, user, ..)| *user == 1).collect();
    assert_eq!(of_user, [(0, 1, 1, 0), (0, 1, 3, 1)]);
    assert_eq!(late.num_rows(), 0);
}

#[test]
fn windows_that_cannot_be_say_why() {
    let refusal = |factory: WindowFactory, event_time: Option<&str>| {
        let mut plan = plan(1);
        let source = MemorySource::new(batch(&[]).schema(), vec![vec![]]).unwrap();
        plan.add_source(name("rows"), Arc::new(source), None).unwrap();
        if let Some(column) = event_time {
            plan.set_event_time(&name("rows"), EventTime::bounded(column, ms(0)));
        }
        plan.add_operator(name("window"), vec![port("rows")], Arc::new(factory), None).unwrap();
        plan.check().expect_err("no window").to_string()
    };
    let window = |key: &str, window| WindowFactory::new(vec![key.to_owned()], window, Arc::new(SumAndCount));
    let tumbling = Window::Tumbling { size: ms(10) };
    for (factory, event_time, part) in [
        (window("user", tumbling), None, "a tumbling 10ms window needs event time"),
        (
            window("usr", tumbling),
            Some("ts"),
            "key: there is no column `usr` (did you mean `user`?); the columns are `user`, `word`",
        ),
        (window("user", tumbling), Some("tss"), "event time: there is no column `tss` (did you mean `ts`?)"),
        (window("user", tumbling), Some("word"), "event time `word` is Utf8"),
        (window("user", Window::Tumbling { size: ms(0) }), Some("ts"), "whole milliseconds, at least one"),
        (WindowFactory::new(vec![], tumbling, Arc::new(SumAndCount)), Some("ts"), "there is no key"),
    ] {
        let message = refusal(factory, event_time);
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn rows_without_an_event_time_are_refused_by_the_source() {
    let users: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
    let amounts: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 4, 8]));
    let times: ArrayRef = Arc::new(Int64Array::from(vec![Some(5), None, Some(i64::MAX), Some(i64::MIN)]));
    let rows = RecordBatch::try_from_iter_with_nullable([
        ("user", users, true),
        ("ts", times, true),
        ("amount", amounts, false),
    ])
    .unwrap();
    let plan_of = |with_errors: bool| {
        let mut plan = plan(1);
        plan.add_source(
            name("rows"),
            Arc::new(MemorySource::new(rows.schema(), vec![vec![rows.clone()]]).unwrap()),
            None,
        )
        .unwrap();
        plan.set_event_time(&name("rows"), EventTime::bounded("ts", ms(0)));
        let factory =
            WindowFactory::new(vec!["user".to_owned()], Window::Tumbling { size: ms(10) }, Arc::new(SumAndCount));
        plan.add_operator(name("window"), vec![port("rows")], Arc::new(factory), None).unwrap();
        let (out, dead) = (MemorySink::new(), MemorySink::new());
        let handles = (out.handle(), dead.handle());
        plan.add_sink(name("out"), vec![port("window")], Arc::new(out), None).unwrap();
        if with_errors {
            plan.add_sink(name("dead"), vec![port("rows.errors")], Arc::new(dead), None).unwrap();
        }
        (plan, handles)
    };
    let (plan, (out, dead)) = plan_of(true);
    run(plan, 100).unwrap();
    assert_eq!(results(&out.batches()).into_keys().collect::<Vec<_>>(), [(Some(1), 0, 10)]);
    assert_eq!(common::texts(&dead.batches(), "code"), ["event-time"; 3]);
    let messages = common::texts(&dead.batches(), "message");
    assert!(messages[0].contains("is null") && messages[1].contains("2^52"), "{messages:?}");
    let error = run(plan_of(false).0, 100).unwrap_err().to_string();
    assert!(error.contains("event time `ts` is null") && error.contains("rows.errors"), "{error}");
}

#[test]
fn memory_has_a_limit_that_says_what_lifts_it() {
    let many: Vec<Row> = (0..20_000).map(|user| row(user, 0, 1)).collect();
    let factory = WindowFactory::new(vec!["user".to_owned()], Window::Tumbling { size: ms(10) }, Arc::new(SumAndCount))
        .with_memory_limit(100_000);
    let (plan, _, _) = windowed(vec![many.chunks(100).map(batch).collect()], 0, 1, factory);
    let error = run(plan, 100).unwrap_err().to_string();
    assert!(error.contains("the limit is 100000") && error.contains("`rocksdb`"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn repeats_are_dropped_as_a_model_says(rows in rows(0), read_rows in 1_usize..60, within in 1_u64..300, parallelism in 1_u32..4) {
        let mut plan = plan(parallelism);
        let source = MemorySource::new(batch(&[]).schema(), vec![vec![batch(&rows)]]).unwrap();
        // One subtask reads, so that rows of a key arrive in their order.
        plan.add_source(name("rows"), Arc::new(source), Some(std::num::NonZeroU32::MIN)).unwrap();
        plan.set_event_time(&name("rows"), EventTime::bounded("ts", ms(0)));
        let factory = volley_runtime::DedupeFactory::new(vec!["word".to_owned()], ms(within));
        plan.add_operator(name("dedupe"), vec![port("rows")], Arc::new(factory), None).unwrap();
        let sink = MemorySink::new();
        let out = sink.handle();
        plan.add_sink(name("out"), vec![port("dedupe")], Arc::new(sink), None).unwrap();
        run(plan, read_rows).unwrap();
        let mut last = BTreeMap::new();
        let mut expected = Vec::new();
        for row in &rows {
            let is_repeat = last.get(&row.user).is_some_and(|last: &i64| row.time_ms - last < within as i64);
            if !is_repeat {
                last.insert(row.user, row.time_ms);
                expected.push((row.user, row.time_ms, row.amount));
            }
        }
        let mut found = Vec::new();
        for batch in out.batches() {
            let ints = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().clone();
            let (users, times, amounts) = (ints("user"), ints("ts"), ints("amount"));
            found.extend((0..batch.num_rows()).map(|row| (users.is_valid(row).then(|| users.value(row)), times.value(row), amounts.value(row))));
        }
        expected.sort_unstable();
        found.sort_unstable();
        prop_assert_eq!(found, expected);
    }
}
