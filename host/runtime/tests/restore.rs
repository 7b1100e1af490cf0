//! Windows and dedupe that are stopped at a barrier and go on elsewhere, with more instances or fewer, come to what a straight
//! run comes to.
#![allow(clippy::unwrap_used, reason = "a test helper may panic like a test")]

mod common;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int32Type;
use common::instances::{HoldsBack, Instances};
use proptest::prelude::*;
use volley_api::{ErrorKind, NoState, OperatorFactory, PortName, StateBackend, Watermark};
use volley_expr::Aggregates;
use volley_runtime::{DedupeFactory, Window, WindowFactory};
use volley_state::MemoryBackend;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    user: Option<i64>,
    time_ms: i64,
    amount: i64,
}

#[derive(Debug, Clone)]
enum Step {
    Rows(Vec<Row>),
    Watermark(i64),
    /// A checkpoint from which nobody goes on.
    Checkpoint,
    /// A checkpoint, and so many instances that go on from it.
    Restart(u32),
}

fn batch(rows: &[Row]) -> RecordBatch {
    let users: ArrayRef = Arc::new(rows.iter().map(|row| row.user).collect::<Int64Array>());
    let words: Vec<Option<String>> = rows.iter().map(|row| row.user.map(|user| format!("u{user}"))).collect();
    let dictionary: DictionaryArray<Int32Type> = words.iter().map(Option::as_deref).collect();
    let words: ArrayRef = Arc::new(StringArray::from(words));
    let times: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.time_ms)));
    let amounts: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.amount)));
    RecordBatch::try_from_iter_with_nullable([
        ("user", users, true),
        ("word", words, true),
        ("dictionary", Arc::new(dictionary) as ArrayRef, true),
        ("ts", times, true),
        ("amount", amounts, false),
    ])
    .unwrap()
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Rows whose times ascend but for `disorder_ms`, cut into batches, with watermarks `bound_ms` behind the latest row and
/// checkpoints in between.
fn script(disorder_ms: i64, bound_ms: i64) -> impl Strategy<Value = Vec<Step>> {
    let row = (prop::option::weighted(0.9, 0_i64..12), 0_i64..30, 0..=disorder_ms, 0_i64..50);
    let between = prop_oneof![
        4 => Just(None),
        3 => Just(Some(Step::Watermark(0))),
        1 => Just(Some(Step::Checkpoint)),
        2 => (1_u32..5).prop_map(|parallelism| Some(Step::Restart(parallelism))),
    ];
    prop::collection::vec((prop::collection::vec(row, 1..25), between), 0..30).prop_map(move |parts| {
        let mut at = -2_000;
        let mut steps = Vec::new();
        for (rows, between) in parts {
            let rows = rows.into_iter().map(|(user, step, back, amount)| {
                at += step;
                Row { user, time_ms: at - back, amount }
            });
            steps.push(Step::Rows(rows.collect()));
            steps.extend(between.map(|step| match step {
                Step::Watermark(_) => Step::Watermark(at - bound_ms),
                other => other,
            }));
        }
        steps
    })
}

/// Many aggregates, among them all that go by the order of rows.
fn aggregates() -> Arc<Aggregates> {
    let items = [
        ("n", "count(*)"),
        ("total", "sum(amount)"),
        ("mean", "avg(amount)"),
        ("least", "min(amount)"),
        ("first", "first(amount)"),
        ("last", "last(amount)"),
        ("words", "count_distinct(amount)"),
        ("about", "approx_distinct(amount)"),
        ("dev", "stddev(amount)"),
    ];
    Arc::new(Aggregates::new(items.map(|(name, sql)| (name.to_owned(), sql.to_owned())).to_vec()))
}

/// How much is held back: all, next to nothing, and some.
fn held_back() -> impl Strategy<Value = Option<usize>> {
    prop::sample::select(vec![None, Some(1), Some(20_000)])
}

/// The same steps straight, and stopped and restored again and again.
fn check(
    factory: &Arc<dyn OperatorFactory>,
    steps: &[Step],
    held_back: Option<usize>,
    is_pending_by_key: bool,
) -> Result<(), TestCaseError> {
    check_as(factory, factory, steps, held_back, is_pending_by_key)
}

/// The same, by an operator that keeps less in memory.
fn check_as(
    straight: &Arc<dyn OperatorFactory>,
    factory: &Arc<dyn OperatorFactory>,
    steps: &[Step],
    held_back: Option<usize>,
    is_pending_by_key: bool,
) -> Result<(), TestCaseError> {
    let mut straight = Instances::new(Arc::clone(straight), Arc::new(NoState), batch(&[]), 1);
    let mut pending = Vec::new();
    for step in steps {
        match step {
            Step::Rows(rows) => straight.rows(&batch(rows)).unwrap(),
            Step::Watermark(at) => straight.watermark(Watermark::AtMs(*at)).unwrap(),
            Step::Checkpoint | Step::Restart(_) => {}
        }
        pending.push(straight.pending());
    }
    straight.watermark(Watermark::End).unwrap();
    let late = straight.heard.late;
    let expected = straight.heard.sorted();
    let memory = MemoryBackend::new(1 << 30);
    let backend: Arc<dyn StateBackend> = match held_back {
        None => Arc::new(memory.clone()),
        Some(bytes) => Arc::new(HoldsBack(memory.clone(), bytes)),
    };
    let folder = tempfile::tempdir().unwrap();
    let mut instances = Instances::new(Arc::clone(factory), backend, batch(&[]), 2);
    for (step, pending) in steps.iter().zip(&pending) {
        match step {
            Step::Rows(rows) => instances.rows(&batch(rows)).unwrap(),
            Step::Watermark(at) => {
                instances.watermark(Watermark::AtMs(*at)).unwrap();
                if is_pending_by_key {
                    prop_assert_eq!(instances.pending(), *pending);
                }
            }
            Step::Checkpoint => drop(instances.checkpoint(folder.path())),
            Step::Restart(parallelism) => {
                let state = instances.checkpoint(folder.path());
                instances.restore(&state, *parallelism).unwrap();
            }
        }
    }
    instances.watermark(Watermark::End).unwrap();
    prop_assert_eq!(instances.pending().unwrap_or_default(), 0);
    instances.checkpoint(folder.path());
    prop_assert_eq!(memory.used_bytes(), 0, "nothing is left behind");
    prop_assert_eq!(instances.heard.late, late);
    prop_assert_eq!(instances.heard.sorted(), expected.clone(), "held back: {:?}", held_back);
    Ok(())
}

fn windows(key: &[&str], window: Window, lateness_ms: u64) -> Arc<dyn OperatorFactory> {
    Arc::new(window_factory(key, window, lateness_ms))
}

fn window_factory(key: &[&str], window: Window, lateness_ms: u64) -> WindowFactory {
    let keys = key.iter().map(|&key| key.to_owned()).collect();
    let factory = WindowFactory::new(keys, window, aggregates()).with_allowed_lateness(ms(lateness_ms));
    factory.with_late_port(PortName::new("late").unwrap())
}

const KEYS: [&[&str]; 4] = [&["user"], &["word"], &["dictionary"], &["word", "user"]];

proptest! {
    // Each case is three runs over many panes.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn tumbling_and_sliding_windows_go_on(
        steps in script(400, 200),
        key in prop::sample::select(&KEYS[..]),
        held_back in held_back(),
        size in 15_u64..1_000,
        slides in 1_u64..6,
        lateness in prop_oneof![Just(0), Just(150_u64)],
    ) {
        check(&windows(key, Window::Tumbling { size: ms(size) }, lateness), &steps, held_back, false)?;
        let slide = ms(size.div_ceil(slides));
        let size = slide * u32::try_from(slides).unwrap();
        check(&windows(key, Window::Sliding { size, slide }, lateness), &steps, held_back, false)?;
        let size = slide + slide / 2;
        if size.subsec_nanos().is_multiple_of(1_000_000) {
            check(&windows(key, Window::Sliding { size, slide }, lateness), &steps, held_back, false)?;
        }
    }

    #[test]
    fn however_few_windows_are_in_memory_results_are_the_same(
        steps in script(400, 200),
        held_back in held_back(),
        size in 15_u64..600,
        slides in 2_u64..6,
        lateness in prop_oneof![Just(0), Just(150_u64)],
        windows_max in prop::sample::select(vec![1, 2, 7]),
        kind in 0..6_usize,
    ) {
        let slide = ms(size.div_ceil(slides));
        let sliding = Window::Sliding { size: slide * u32::try_from(slides).unwrap(), slide };
        // A window that is no whole number of slides has panes shorter than those.
        let odd = Window::Sliding { size: slide * 2 + ms(1), slide };
        let (window, by_key) = [
            (Window::Tumbling { size: ms(size) }, false),
            (sliding, false),
            (odd, false),
            (Window::Session { gap: ms(size / 5) }, true),
            (Window::Count { rows: slides }, true),
            (Window::Global, false),
        ][kind];
        let lateness = if matches!(window, Window::Count { .. } | Window::Global) { 0 } else { lateness };
        let bounded = window_factory(&["user"], window, lateness)
            .with_max_pending_windows(NonZeroUsize::new(windows_max).unwrap());
        let bounded: Arc<dyn OperatorFactory> = Arc::new(bounded);
        check_as(&windows(&["user"], window, lateness), &bounded, &steps, held_back, by_key)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn sessions_go_on(
        steps in script(400, 200),
        key in prop::sample::select(&KEYS[..]),
        held_back in held_back(),
        gap in 1_u64..300,
        lateness in prop_oneof![Just(0), Just(150_u64)],
    ) {
        check(&windows(key, Window::Session { gap: ms(gap) }, lateness), &steps, held_back, true)?;
    }

    #[test]
    fn windows_without_time_go_on(steps in script(400, 200), key in prop::sample::select(&KEYS[..]), held_back in held_back(), rows in 1_u64..12) {
        check(&windows(key, Window::Count { rows }, 0), &steps, held_back, true)?;
        check(&windows(key, Window::Global, 0), &steps, held_back, false)?;
    }

    #[test]
    fn dedupe_goes_on_however_late_rows_are(steps in script(900, 100), key in prop::sample::select(&KEYS[..]), held_back in held_back(), within in 1_u64..400) {
        let keys = key.iter().map(|&key| key.to_owned()).collect();
        let factory: Arc<dyn OperatorFactory> = Arc::new(DedupeFactory::new(keys, ms(within)));
        check(&factory, &steps, held_back, false)?;
    }

    /// A row goes when one of its key was kept less than `within` away, before or after.
    #[test]
    fn dedupe_is_what_a_model_says_whatever_the_order(steps in script(500, 500), within in 1_u64..700) {
        let factory: Arc<dyn OperatorFactory> = Arc::new(DedupeFactory::new(vec!["user".to_owned()], ms(within)));
        let mut kept = BTreeMap::<Option<i64>, Vec<i64>>::new();
        let mut expected = Vec::new();
        let memory = HoldsBack(MemoryBackend::new(1 << 30), 300);
        let folder = tempfile::tempdir().unwrap();
        let mut instances = Instances::new(factory, Arc::new(memory), batch(&[]), 1);
        for step in &steps {
            match step {
                Step::Rows(rows) => {
                    instances.rows(&batch(rows)).unwrap();
                    for row in rows {
                        let of_user = kept.entry(row.user).or_default();
                        if of_user.iter().all(|kept| (row.time_ms - kept).abs() >= within as i64) {
                            of_user.push(row.time_ms);
                            expected.push(*row);
                        }
                    }
                }
                Step::Watermark(at) => instances.watermark(Watermark::AtMs(*at)).unwrap(),
                Step::Checkpoint => drop(instances.checkpoint(folder.path())),
                Step::Restart(parallelism) => {
                    let state = instances.checkpoint(folder.path());
                    instances.restore(&state, *parallelism).unwrap();
                }
            }
        }
        let mut found = instances.heard.sorted().remove(&0).unwrap_or_default();
        let show = |row: &Row| {
            let user = row.user.map_or(String::new(), |user| user.to_string());
            let word = row.user.map_or(String::new(), |user| format!("u{user}"));
            format!("{user} | {word} | {word} | {} | {}", row.time_ms, row.amount)
        };
        let mut expected: Vec<String> = expected.iter().map(show).collect();
        expected.sort_unstable();
        found.sort_unstable();
        prop_assert_eq!(found, expected);
    }
}

/// Rows of many keys at one time.
fn many(users: std::ops::Range<i64>, time_ms: i64) -> RecordBatch {
    batch(&users.map(|user| Row { user: Some(user), time_ms, amount: user }).collect::<Vec<_>>())
}

#[test]
fn more_keys_than_a_page_go_on() {
    for (window, lateness) in [
        (Window::Tumbling { size: ms(1_000) }, 0),
        (Window::Tumbling { size: ms(1_000) }, 50),
        (Window::Sliding { size: ms(1_000), slide: ms(500) }, 0),
        (Window::Session { gap: ms(500) }, 0),
        (Window::Global, 0),
        (Window::Count { rows: 10 }, 0),
    ] {
        for held_back in [usize::MAX, 200_000] {
            let memory = MemoryBackend::new(1 << 30);
            let folder = tempfile::tempdir().unwrap();
            let backend: Arc<dyn StateBackend> = Arc::new(HoldsBack(memory.clone(), held_back));
            let mut instances = Instances::new(windows(&["user"], window, lateness), backend, batch(&[]), 1);
            instances.rows(&many(0..9_000, 10)).unwrap();
            assert_eq!(memory.used_bytes() > 0, held_back < usize::MAX, "state beyond the limit goes to the backend");
            instances.rows(&many(2_000..10_000, 600)).unwrap();
            let state = instances.checkpoint(folder.path());
            instances.restore(&state, 3).unwrap();
            instances.rows(&many(9_500..11_000, 700)).unwrap();
            instances.watermark(Watermark::End).unwrap();
            let rows = instances.heard.sorted().remove(&0).unwrap();
            let expected = match window {
                Window::Tumbling { .. } | Window::Global | Window::Count { .. } => 11_000,
                // Of [-500, 500), [0, 1000) and [500, 1500).
                Window::Sliding { .. } => 9_000 + 11_000 + 9_000,
                // 600 is behind the end of what began at 10.
                Window::Session { .. } => 9_000 + 9_000,
            };
            assert_eq!(rows.len(), expected, "{window}");
            let seen = |user: i64| rows.iter().filter(|row| row.starts_with(&format!("{user} | "))).count();
            assert!(seen(1_000) >= 1 && seen(10_999) >= 1);
        }
    }
}

#[test]
fn no_more_windows_are_in_memory_than_may_be() {
    for (window, lateness) in
        [(Window::Tumbling { size: ms(10) }, 0), (Window::Sliding { size: ms(30), slide: ms(10) }, 20)]
    {
        let memory = MemoryBackend::new(1 << 30);
        let factory =
            window_factory(&["user"], window, lateness).with_max_pending_windows(NonZeroUsize::new(7).unwrap());
        let mut instances = Instances::new(Arc::new(factory), Arc::new(memory.clone()), batch(&[]), 1);
        let rows: Vec<Row> = (0..1_000).rev().map(|n| Row { user: Some(n % 3), time_ms: 10 * n, amount: n }).collect();
        for rows in rows.chunks(10) {
            instances.rows(&batch(rows)).unwrap();
            assert!(instances.pending().is_some_and(|pending| pending <= 7), "{window}: {:?}", instances.pending());
        }
        let used = memory.used_bytes();
        assert!(used > 900 * 100, "{window}: {used} bytes of state: the other panes are there");
        instances.watermark(Watermark::AtMs(4_999)).unwrap();
        let half = instances.heard.rows[&0].len();
        instances.watermark(Watermark::End).unwrap();
        let all = instances.heard.rows[&0].len();
        // Each row is in one tumbling window, or in three sliding ones.
        assert_eq!((half, all), if lateness == 0 { (500, 1_000) } else { (1_497, 3_000) }, "{window}");
        assert_eq!((instances.pending(), memory.used_bytes() < used), (Some(0), true));
    }
}

#[test]
fn of_two_sessions_of_a_key_the_earlier_is_not_forgotten_at_a_barrier() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Arc::new(MemoryBackend::new(1 << 30));
    let mut instances = Instances::new(windows(&["user"], Window::Session { gap: ms(10) }, 0), backend, batch(&[]), 1);
    for time_ms in [500, 100, 300] {
        instances.rows(&many(1..2, time_ms)).unwrap();
    }
    for (restart, watermark, fired) in [(1, 99, 0), (3, 200, 1), (1, 308, 1), (2, 309, 2), (4, 700, 3)] {
        let state = instances.checkpoint(folder.path());
        instances.restore(&state, restart).unwrap();
        instances.watermark(Watermark::AtMs(watermark)).unwrap();
        assert_eq!(instances.heard.rows.get(&0).map_or(0, Vec::len), fired, "at {watermark}");
    }
}

#[test]
fn state_of_another_plan_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let tumbling = |size| Window::Tumbling { size: ms(size) };
    let sums = |key: &str, item: &str, window, lateness| -> Arc<dyn OperatorFactory> {
        let aggregates = Arc::new(Aggregates::new(vec![("total".to_owned(), item.to_owned())]));
        Arc::new(WindowFactory::new(vec![key.to_owned()], window, aggregates).with_allowed_lateness(ms(lateness)))
    };
    let backend = MemoryBackend::new(1 << 30);
    let first = || {
        let factory = sums("user", "sum(amount)", tumbling(60_000), 0);
        Instances::new(factory, Arc::new(backend.clone()), batch(&[]), 1)
    };
    let mut instances = first();
    instances.rows(&many(0..10, 5)).unwrap();
    let state = instances.checkpoint(folder.path());
    first().restore(&state, 2).unwrap();
    for (factory, part) in [
        (sums("user", "max(amount)", tumbling(60_000), 0), "max"),
        (sums("word", "sum(amount)", tumbling(60_000), 0), "keys [word: Utf8]"),
        (sums("user", "sum(amount)", tumbling(60_001), 0), "tumbling 60001 ms"),
        (sums("user", "sum(amount)", tumbling(60_000), 7), "7 ms late"),
        (sums("user", "sum(amount)", Window::Session { gap: ms(60_000) }, 0), "session 60000 ms"),
        (sums("user", "sum(amount)", Window::Global, 0), "global"),
        (Arc::new(DedupeFactory::new(vec!["user".to_owned()], ms(60_000))), "keeps none of that name"),
    ] {
        let error = first().restore_as(factory, &state).expect_err("another plan");
        assert_eq!(error.kind(), ErrorKind::Config);
        let message = error.to_string();
        for part in ["state `windows` of `node`", part, "put the operator back as it was", "--fresh"] {
            assert!(message.contains(part), "{message}");
        }
        if !message.contains("keeps none") {
            assert!(message.contains("keys [user: Int64]; state [") && message.contains("tumbling 60000 ms; rows-1"));
        }
    }
}

#[test]
fn the_limit_of_a_dedupe_names_dedupe() {
    let factory = DedupeFactory::new(vec!["user".to_owned()], ms(100)).with_memory_limit(10_000);
    let mut instances = Instances::new(Arc::new(factory), Arc::new(NoState), batch(&[]), 1);
    let message = instances.rows(&many(0..1_000, 5)).expect_err("more than 10 kB").to_string();
    for part in ["dedupe knows 1000 rows", "the limit is 10000", "make `within` shorter", "`rocksdb`"] {
        assert!(message.contains(part), "{message}");
    }
}
