//! Rows that are aggregated before an exchange: what leaves when, and what travels as it is.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use common::aggregate::SumAndCount;
use common::name;
use volley_api::{
    Combined, Combiner, EventTimeColumn, NoState, OperatorContext, OperatorFactory, OperatorState, OriginDirectory,
    SeedSource, StreamRecord, SubtaskId, SystemClock, Watermark,
};
use volley_runtime::{Window, WindowFactory};

fn rows(rows: impl IntoIterator<Item = (i64, Option<i64>)>) -> StreamRecord {
    let (keys, times): (Vec<i64>, Vec<Option<i64>>) = rows.into_iter().unzip();
    let columns: [(&str, ArrayRef); 3] = [
        ("user", Arc::new(Int64Array::from(keys.clone()))),
        ("ts", Arc::new(Int64Array::from(times))),
        ("amount", Arc::new(Int64Array::from(keys))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap().into()
}

fn combiner(window: Window, restored_ms: Option<i64>) -> Option<Box<dyn Combiner>> {
    let factory = WindowFactory::new(vec!["user".to_owned()], window, Arc::new(SumAndCount));
    let context = OperatorContext {
        node: name("sums"),
        subtask: SubtaskId::SINGLE,
        input: rows([]).batch.schema(),
        event_time: Some(EventTimeColumn::new("ts")),
        state: Arc::new(NoState),
        restored: OperatorState { watermark: restored_ms.map(Watermark::AtMs), ..OperatorState::default() },
        errors_attached: false,
        clock: Arc::new(SystemClock),
        seeds: SeedSource::new(0),
        origins: OriginDirectory::new(),
    };
    factory.combiner(&context).unwrap()
}

fn tumbling(restored_ms: Option<i64>) -> Box<dyn Combiner> {
    combiner(Window::Tumbling { size: Duration::from_millis(10) }, restored_ms).unwrap()
}

/// Pane, keys, and how many rows: part by part.
fn seen(combined: &[Combined]) -> Vec<(i64, Vec<i64>, usize)> {
    let keys = |combined: &Combined| combined.batch.column(0).as_primitive::<Int64Type>().values().to_vec();
    combined.iter().map(|combined| (combined.pane.0, keys(combined), combined.rows)).collect()
}

fn times(record: Option<StreamRecord>) -> Vec<Option<i64>> {
    record.map_or_else(Vec::new, |record| {
        record.compact().unwrap().batch.column(1).as_primitive::<Int64Type>().iter().collect()
    })
}

#[test]
fn panes_leave_before_the_watermark_that_closes_them_and_late_rows_as_rows() {
    let mut combiner = tumbling(None);
    assert!(combiner.combine(rows([(1, Some(5)), (2, Some(15)), (1, Some(7))])).unwrap().is_none());
    assert_eq!(seen(&combiner.on_watermark(Watermark::AtMs(8)).unwrap()), [], "the first pane is open");
    assert_eq!(seen(&combiner.on_watermark(Watermark::AtMs(9)).unwrap()), [(0, vec![1], 2)]);
    let others = combiner.combine(rows([(1, Some(9)), (1, None), (1, Some(10))])).unwrap();
    assert_eq!(times(others), [Some(9), None]);
    assert_eq!(seen(&combiner.drain().unwrap()), [(10, vec![2, 1], 2)]);
    assert_eq!(seen(&combiner.on_watermark(Watermark::End).unwrap()), []);
}

#[test]
fn what_was_late_before_a_restore_is_late_after_it() {
    let mut combiner = tumbling(Some(9));
    assert_eq!(times(combiner.combine(rows([(1, Some(9)), (1, Some(10))])).unwrap()), [Some(9)]);
}

#[test]
fn after_an_idle_time_nothing_is_combined() {
    let mut combiner = tumbling(None);
    combiner.lose_time();
    assert_eq!(times(combiner.combine(rows([(1, Some(5))])).unwrap()), [Some(5)]);
    let mut global = combiner_of_all();
    global.lose_time();
    assert!(global.combine(rows([(1, Some(5))])).unwrap().is_none(), "no time is needed");
}

fn combiner_of_all() -> Box<dyn Combiner> {
    combiner(Window::Global, None).unwrap()
}

#[test]
fn what_does_not_repeat_travels_as_rows() {
    let mut combiner = combiner_of_all();
    let mut key = 0;
    let mut fill = |combiner: &mut dyn Combiner, repeats: i64| {
        while !combiner.is_full() {
            assert!(combiner.combine(rows((0..8192).map(|row| ((key + row) / repeats, Some(0))))).unwrap().is_none());
            key += 8192;
            assert!(key < 1 << 24, "it is bounded");
        }
        combiner.drain().unwrap().len()
    };
    assert!(fill(&mut *combiner, 4) > 10, "in batches");
    assert!(combiner.combine(rows([(1, Some(0))])).unwrap().is_none(), "four rows of each key are worth it");
    fill(&mut *combiner, 1);
    assert!(!combiner.is_full());
    assert!(combiner.combine(rows([(1, Some(0))])).unwrap().is_some(), "one is not");
}

#[test]
fn sessions_and_counts_are_not_combined() {
    assert!(combiner(Window::Session { gap: Duration::from_millis(10) }, None).is_none());
    assert!(combiner(Window::Count { rows: 3 }, None).is_none());
}
