//! What operators keep at a barrier, read from the files of the checkpoint, is what a model of each says of the rows so far.
#![allow(clippy::unwrap_used, reason = "a test helper may panic like a test")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch};
use arrow::datatypes::Int32Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use common::instances::Instances;
use proptest::prelude::*;
use volley_api::{EventTimeColumn, OperatorFactory, StateEntry, StreamType, Watermark};
use volley_expr::Aggregates;
use volley_runtime::{DedupeFactory, Window, WindowFactory};
use volley_state::{MemoryBackend, PartReader};

/// User, time in milliseconds, amount.
type Row = (Option<i64>, i64, i64);

/// Every window ends on a multiple of it, and so does every pane.
const SIZE_MS: i64 = 10;
const GAP_MS: i64 = 7;
const LATE_MS: i64 = 15;
const COUNT: usize = 3;

fn batch(rows: &[Row]) -> RecordBatch {
    let users: ArrayRef = Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>());
    let words: Vec<Option<String>> = rows.iter().map(|row| row.0.map(word)).collect();
    let words: DictionaryArray<Int32Type> = words.iter().map(Option::as_deref).collect();
    let times: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1)));
    let amounts: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2)));
    let columns = [("user", users, true), ("word", Arc::new(words) as ArrayRef, true)];
    let columns = columns.into_iter().chain([("ts", times, true), ("amount", amounts, false)]);
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn word(user: i64) -> String {
    format!("u{user}")
}

fn keys() -> Vec<String> {
    vec!["user".to_owned(), "word".to_owned()]
}

fn ms(ms: i64) -> Duration {
    Duration::from_millis(ms.unsigned_abs())
}

fn windows(window: Window) -> WindowFactory {
    let aggregates = [("n", "count(*)"), ("total", "sum(amount)")];
    let aggregates = aggregates.map(|(name, sql)| (name.to_owned(), sql.to_owned())).to_vec();
    WindowFactory::new(keys(), window, Arc::new(Aggregates::new(aggregates)))
}

/// The states of an operator after some rows, a watermark and a barrier, by name: their columns, and rows as text.
fn kept(
    factory: Arc<dyn OperatorFactory>,
    rows: &[Row],
    watermark_ms: i64,
    parallelism: u32,
) -> BTreeMap<String, (Vec<String>, BTreeSet<String>)> {
    let folder = tempfile::tempdir().unwrap();
    let backend = Arc::new(MemoryBackend::new(1 << 30));
    let mut instances = Instances::new(Arc::clone(&factory), backend, batch(&[]), parallelism);
    for (index, rows) in rows.chunks(4).enumerate() {
        instances.rows(&batch(rows)).unwrap();
        if index % 3 == 2 {
            // What is kept is the same, however often it was stored.
            instances.checkpoint(folder.path());
        }
    }
    instances.watermark(Watermark::AtMs(watermark_ms)).unwrap();
    let state = instances.checkpoint(folder.path());
    let event_time = Some(EventTimeColumn::new("ts"));
    let input = StreamType { schema: batch(&[]).schema(), event_time, is_bounded: true, is_revised: false };
    let views = factory.state_views(&input).unwrap();
    let names: BTreeSet<&str> = views.iter().map(|view| view.name()).collect();
    let stored: BTreeSet<&str> = state.keyed.keys().map(String::as_str).collect();
    assert_eq!(names, stored, "every state has a view");
    let mut kept = BTreeMap::new();
    for view in &views {
        let mut shown = BTreeSet::new();
        let mut count = 0;
        for part in &state.keyed[view.name()] {
            assert_eq!(*view.layout(), part.layout);
            let mut reader = PartReader::open(part, &folder.path().join("links")).unwrap();
            loop {
                let page: Vec<StateEntry> = reader.next_page(5).unwrap().into_iter().map(|read| read.entry).collect();
                if page.is_empty() {
                    break;
                }
                let (of, batch) = view.decode(&page).unwrap();
                assert!(of.iter().all(|entry| *entry < page.len()) && of.len() == batch.num_rows());
                count += batch.num_rows();
                shown.extend(texts(&batch));
            }
        }
        assert_eq!(shown.len(), count, "no row is there twice");
        let columns = view.schema().fields().iter().map(|field| field.name().clone()).collect();
        kept.insert(view.name().to_owned(), (columns, shown));
    }
    kept
}

fn texts(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("null");
    let columns: Vec<_> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap()).collect();
    let row = |row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join(" | ");
    (0..batch.num_rows()).map(row).collect()
}

fn key(user: Option<i64>) -> String {
    user.map_or("null | null".to_owned(), |user| format!("{user} | {}", word(user)))
}

/// A time as a row has it.
fn at(ms: i64) -> String {
    let time = arrow::temporal_conversions::timestamp_ms_to_datetime(ms).unwrap();
    let short = ms.rem_euclid(1_000) == 0;
    time.format(if short { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.3fZ" }).to_string()
}

/// Count and sum of rows by key and stretch of that many milliseconds.
fn panes(rows: &[Row], pane_ms: i64) -> BTreeMap<(i64, Option<i64>), (i64, i64)> {
    let mut panes = BTreeMap::new();
    for (user, at_ms, amount) in rows {
        let (n, total) = panes.entry((at_ms.div_euclid(pane_ms) * pane_ms, *user)).or_insert((0, 0));
        (*n, *total) = (*n + 1, *total + amount);
    }
    panes
}

/// Rows of panes that are kept until a window of that size from their beginning has gone.
fn pane_rows(rows: &[Row], pane_ms: i64, gone_before_ms: i64) -> BTreeSet<String> {
    let kept = panes(rows, pane_ms).into_iter().filter(|((start, _), _)| start + SIZE_MS - 1 > gone_before_ms);
    let row = |((start, user), (n, total)): ((i64, Option<i64>), (i64, i64))| {
        format!("{} | {} | {} | {n} | {total}", key(user), at(start), at(start + pane_ms))
    };
    kept.map(row).collect()
}

/// Sessions by key: start, end, rows, sum.
fn sessions(rows: &[Row]) -> Vec<(Option<i64>, i64, i64, i64, i64)> {
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by_key(|row| (row.0, row.1));
    let mut sessions: Vec<(Option<i64>, i64, i64, i64, i64)> = Vec::new();
    for (user, at_ms, amount) in sorted {
        match sessions.last_mut().filter(|last| last.0 == *user && *at_ms < last.2) {
            Some(last) => (last.2, last.3, last.4) = (at_ms + GAP_MS, last.3 + 1, last.4 + amount),
            None => sessions.push((*user, *at_ms, at_ms + GAP_MS, 1, *amount)),
        }
    }
    sessions
}

fn check(rows: &[Row], watermark_ms: i64, parallelism: u32) {
    let kept = |factory: Arc<dyn OperatorFactory>| kept(factory, rows, watermark_ms, parallelism);
    let columns = |middle: &[&str]| {
        let all = ["user", "word"].into_iter().chain(middle.iter().copied());
        all.map(str::to_owned).collect::<Vec<_>>()
    };
    let bounds = ["window_start", "window_end", "n_count", "total_sum"];

    let tumbling = kept(Arc::new(windows(Window::Tumbling { size: ms(SIZE_MS) })));
    let expected = pane_rows(rows, SIZE_MS, watermark_ms);
    assert_eq!(tumbling, BTreeMap::from([("windows".to_owned(), (columns(&bounds), expected))]));

    let slide = ms(SIZE_MS / 2);
    let sliding = kept(Arc::new(windows(Window::Sliding { size: ms(SIZE_MS), slide })));
    let expected = pane_rows(rows, SIZE_MS / 2, watermark_ms);
    let of_panes = columns(&["pane_start", "pane_end", "n_count", "total_sum"]);
    assert_eq!(sliding, BTreeMap::from([("windows".to_owned(), (of_panes, expected))]));

    let late = windows(Window::Tumbling { size: ms(SIZE_MS) }).with_allowed_lateness(ms(LATE_MS));
    let mut late = kept(Arc::new(late));
    let expected = pane_rows(rows, SIZE_MS, watermark_ms - LATE_MS);
    assert_eq!(late.remove("windows"), Some((columns(&bounds), expected)));
    let last_ms = |start: i64| start + SIZE_MS - 1;
    let has_fired = |start: i64| (watermark_ms - LATE_MS + 1..=watermark_ms).contains(&last_ms(start));
    let fired = panes(rows, SIZE_MS).into_keys().filter(|(start, _)| has_fired(*start));
    let fired = fired.map(|(start, user)| format!("{} | {} | {} | 0", key(user), at(start), at(start + SIZE_MS)));
    let of_revisions = columns(&["window_start", "window_end", "revision"]);
    assert_eq!(late.remove("revisions"), Some((of_revisions, fired.collect())));

    let global = kept(Arc::new(windows(Window::Global)));
    let everything = panes(rows, i64::MAX).into_iter();
    let mut all: BTreeMap<Option<i64>, (i64, i64)> = BTreeMap::new();
    for ((_, user), (n, total)) in everything {
        let of = all.entry(user).or_default();
        *of = (of.0 + n, of.1 + total);
    }
    let expected = all.into_iter().map(|(user, (n, total))| format!("{} | {n} | {total}", key(user))).collect();
    assert_eq!(global["windows"], (columns(&["n_count", "total_sum"]), expected));

    let mut session = kept(Arc::new(windows(Window::Session { gap: ms(GAP_MS) })));
    let open: Vec<_> = sessions(rows).into_iter().filter(|session| session.2 - 1 > watermark_ms).collect();
    let row = |(user, start, end, n, total): &(Option<i64>, i64, i64, i64, i64)| {
        format!("{} | {} | {} | {n} | null | true | {n} | {total}", key(*user), at(*start), at(*end))
    };
    let of_sessions = ["window_start", "window_end", "rows", "revision", "is_changed", "n_count", "total_sum"];
    assert_eq!(session.remove("windows"), Some((columns(&of_sessions), open.iter().map(row).collect())));
    let (of_due, due) = session.remove("due").unwrap();
    assert_eq!(of_due, columns(&["due_at"]));
    // A key may be noted more often than it has sessions; of each that is open it is noted in time.
    for (user, _, end, ..) in &open {
        let start = format!("{} | ", key(*user));
        let first = due.iter().filter_map(|row| row.strip_prefix(&start)).min();
        assert!(first.is_some_and(|first| *first <= *at(end - 1)), "{user:?} until {end}: {due:?}");
    }

    let counts = kept(Arc::new(windows(Window::Count { rows: COUNT as u64 })));
    let mut by_user: BTreeMap<Option<i64>, Vec<i64>> = BTreeMap::new();
    rows.iter().for_each(|(user, _, amount)| by_user.entry(*user).or_default().push(*amount));
    let left = by_user.into_iter().filter_map(|(user, amounts)| {
        let left = &amounts[amounts.len() / COUNT * COUNT..];
        let (n, total) = (left.len(), left.iter().sum::<i64>());
        (n > 0).then(|| format!("{} | {n} | {n} | {total}", key(user)))
    });
    assert_eq!(counts["windows"], (columns(&["rows", "n_count", "total_sum"]), left.collect()));

    let dedupe = kept(Arc::new(DedupeFactory::new(keys(), ms(SIZE_MS))));
    let mut first: Vec<(Option<i64>, i64)> = Vec::new();
    for (user, at_ms, _) in rows {
        if first.iter().all(|(other, kept_ms)| other != user || (at_ms - kept_ms).abs() >= SIZE_MS) {
            first.push((*user, *at_ms));
        }
    }
    let known = first.into_iter().filter(|(_, at_ms)| (at_ms.div_euclid(SIZE_MS) + 2) * SIZE_MS - 2 > watermark_ms);
    let known = known.map(|(user, at_ms)| format!("{} | {}", key(user), at(at_ms)));
    assert_eq!(dedupe["kept"], (columns(&["kept_at"]), known.collect()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn views_show_what_a_model_says(
        rows in prop::collection::vec((prop::option::weighted(0.9, 0_i64..4), 0_i64..60, -5_i64..100), 0..40),
        watermark_ms in -1_i64..70,
        parallelism in 1_u32..4,
    ) {
        check(&rows, watermark_ms, parallelism);
    }
}

#[test]
fn a_few_rows_of_every_kind() {
    check(&[(Some(1), 3, 5), (None, 3, 7), (Some(1), 12, 1), (Some(2), 55, 2), (Some(1), 4, 9)], 10, 2);
    check(&[], 0, 1);
}

#[test]
fn bytes_of_another_layout_are_an_error() {
    let factories: [Arc<dyn OperatorFactory>; 3] = [
        Arc::new(windows(Window::Tumbling { size: ms(SIZE_MS) })),
        Arc::new(windows(Window::Session { gap: ms(GAP_MS) })),
        Arc::new(DedupeFactory::new(keys(), ms(SIZE_MS))),
    ];
    let event_time = Some(EventTimeColumn::new("ts"));
    let input = StreamType { schema: batch(&[]).schema(), event_time, is_bounded: true, is_revised: false };
    for view in factories.iter().flat_map(|factory| factory.state_views(&input).unwrap()) {
        for (key, value) in [(&b"x"[..], &b""[..]), (b"", b"12345678"), (b"\x01\0", b"\x01\x02"), (&[1; 40], &[1; 50])]
        {
            let (key, value) = (bytes::Bytes::copy_from_slice(key), bytes::Bytes::copy_from_slice(value));
            let (group, namespace) = (volley_api::KeyGroup(0), volley_api::Namespace(0));
            let entry = StateEntry { group, namespace, key, value };
            // Some bytes are a row by chance; none makes the reader panic.
            drop(view.decode(&[entry]));
        }
    }
}
