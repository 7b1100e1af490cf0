//! Windows say how many of them have rows and have put nothing out, after every record and watermark.
#![allow(clippy::unwrap_used, reason = "a test helper may panic like a test")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use common::aggregate::SumAndCount;
use common::name;
use volley_api::{
    EventTimeColumn, NoState, Operator, OperatorContext, OperatorFactory, OriginDirectory, Output, PortIndex, Result,
    RowReject, SeedSource, StreamRecord, SubtaskId, SystemClock, Watermark,
};
use volley_runtime::{Window, WindowFactory};

/// Rows by key and time.
fn batch(rows: &[(i64, i64)]) -> RecordBatch {
    let column =
        |of: fn(&(i64, i64)) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(rows.iter().map(of))) };
    let columns = [("user", column(|row| row.0)), ("ts", column(|row| row.1)), ("amount", column(|_| 1))];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Remembers what was said last.
#[derive(Default)]
struct Heard {
    pending: Option<usize>,
    rows: usize,
}

impl Output for Heard {
    fn emit(&mut self, _: PortIndex, record: StreamRecord) -> Result<()> {
        self.rows += record.num_rows();
        Ok(())
    }

    fn set_pending(&mut self, windows: usize) {
        self.pending = Some(windows);
    }

    fn reject(&mut self, _: &StreamRecord, _: Vec<RowReject>) -> Result<()> {
        unreachable!("every row has a time")
    }
}

struct Windows {
    operator: Box<dyn Operator>,
    heard: Heard,
}

impl Windows {
    fn new(factory: WindowFactory) -> Self {
        let context = OperatorContext {
            node: name("window"),
            subtask: SubtaskId { index: 0, parallelism: 1 },
            input: batch(&[]).schema(),
            event_time: Some(EventTimeColumn::new("ts")),
            state: Arc::new(NoState),
            restored: Default::default(),
            errors_attached: false,
            clock: Arc::new(SystemClock),
            seeds: SeedSource::new(0),
            origins: OriginDirectory::new(),
        };
        Self { operator: factory.create(context).unwrap(), heard: Heard::default() }
    }

    /// What is pending after a record.
    fn rows(&mut self, rows: &[(i64, i64)]) -> usize {
        self.operator.process(batch(rows).into(), &mut self.heard).unwrap();
        self.heard.pending.take().expect("said after a record")
    }

    /// What is pending after a watermark, and how many rows were put out so far.
    fn at(&mut self, watermark: Watermark) -> (usize, usize) {
        self.operator.on_watermark(watermark, &mut self.heard).unwrap();
        (self.heard.pending.take().expect("said after a watermark"), self.heard.rows)
    }
}

fn factory(window: Window) -> WindowFactory {
    WindowFactory::new(vec!["user".to_owned()], window, Arc::new(SumAndCount))
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn tumbling_windows_wait_for_the_watermark_and_count_once_for_all_keys() {
    let mut windows = Windows::new(factory(Window::Tumbling { size: ms(10) }));
    assert_eq!(windows.rows(&[(1, 0), (2, 5)]), 1);
    assert_eq!(windows.rows(&[(1, 12), (1, 25)]), 3);
    assert_eq!(windows.at(Watermark::AtMs(19)), (1, 3));
    assert_eq!(windows.at(Watermark::End), (0, 4));
}

#[test]
fn a_late_row_that_revises_a_window_makes_none_pending() {
    let mut windows = Windows::new(factory(Window::Tumbling { size: ms(10) }).with_allowed_lateness(ms(100)));
    assert_eq!(windows.rows(&[(1, 0)]), 1);
    assert_eq!(windows.at(Watermark::AtMs(15)), (0, 1));
    assert_eq!(windows.rows(&[(1, 3)]), 0);
    assert_eq!(windows.heard.rows, 2, "it was put out again");
}

#[test]
fn a_row_is_in_every_sliding_window_over_it() {
    let mut windows = Windows::new(factory(Window::Sliding { size: ms(30), slide: ms(10) }));
    assert_eq!(windows.rows(&[(1, 25)]), 3);
    assert_eq!(windows.at(Watermark::AtMs(29)), (2, 1));
}

#[test]
fn sessions_are_by_key_and_join() {
    let mut windows = Windows::new(factory(Window::Session { gap: ms(10) }).with_allowed_lateness(ms(100)));
    assert_eq!(windows.rows(&[(1, 0), (1, 15), (2, 0)]), 3);
    assert_eq!(windows.rows(&[(1, 8)]), 2, "two have become one");
    assert_eq!(windows.at(Watermark::AtMs(12)), (1, 1));
    assert_eq!(windows.at(Watermark::AtMs(50)), (0, 2), "kept for late rows, and not pending");
}

#[test]
fn windows_of_rows_wait_for_rows() {
    let mut windows = Windows::new(factory(Window::Count { rows: 2 }));
    assert_eq!(windows.rows(&[(1, 0), (2, 0), (2, 1), (3, 0)]), 2);
    assert_eq!(windows.rows(&[(1, 1)]), 1);
    assert_eq!(windows.at(Watermark::AtMs(50)), (1, 2));
    assert_eq!(windows.at(Watermark::End), (0, 3));
}

#[test]
fn without_a_window_the_end_is_waited_for() {
    let mut windows = Windows::new(factory(Window::Global));
    assert_eq!(windows.rows(&[(1, 0), (2, 0)]), 1);
    assert_eq!(windows.at(Watermark::AtMs(50)), (1, 0));
    assert_eq!(windows.at(Watermark::End), (0, 2));
}
