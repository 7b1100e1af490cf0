//! State that is said to be that of a set of rows is: handed the rows between two checkpoints in any order and told the event
//! time at the end, as when a damaged checkpoint is rebuilt, instances go on as those do that had them as they came.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use common::instances::Instances;
use proptest::prelude::*;
use volley_api::{
    EventTimeColumn, OperatorFactory, OperatorState, PortIndex, Replayed, StateBackend, StreamType, Watermark,
};
use volley_expr::Aggregates;
use volley_runtime::{Window, WindowFactory};
use volley_state::MemoryBackend;

/// How far the watermark is behind the latest row: a third of the rows come later than that.
const BOUND_MS: i64 = 200;

#[derive(Debug, Clone, Copy)]
struct Row {
    user: i64,
    time_ms: i64,
    amount: i64,
}

fn batch(rows: &[Row]) -> RecordBatch {
    let column = |of: fn(&Row) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(rows.iter().map(of))) };
    let columns =
        [("user", column(|row| row.user)), ("ts", column(|row| row.time_ms)), ("amount", column(|row| row.amount))];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// Batches whose times go on from one to the next, most of them with a watermark behind.
type Stretch = Vec<(Vec<Row>, Option<i64>)>;

fn script() -> impl Strategy<Value = [Stretch; 3]> {
    let row = (0_i64..12, 0_i64..30, 0_i64..300, 0_i64..50);
    let stretch =
        || prop::collection::vec((prop::collection::vec(row.clone(), 1..20), prop::bool::weighted(0.7)), 0..8);
    [stretch(), stretch(), stretch()].prop_map(|stretches| {
        let mut at = -2_000;
        stretches.map(|stretch| {
            let batches = stretch.into_iter().map(|(rows, is_told)| {
                let rows = rows.into_iter().map(|(user, step, back, amount)| {
                    at += step;
                    Row { user, time_ms: at - back, amount }
                });
                let rows: Vec<Row> = rows.collect();
                (rows, is_told.then_some(at - BOUND_MS))
            });
            batches.collect()
        })
    })
}

/// What goes by no order.
fn windows(window: Window) -> Arc<dyn OperatorFactory> {
    let items = [
        ("n", "count(*)"),
        ("total", "sum(amount)"),
        ("mean", "avg(amount)"),
        ("least", "min(amount)"),
        ("words", "count_distinct(amount)"),
        ("dev", "stddev(amount)"),
    ];
    let aggregates = Aggregates::new(items.map(|(name, sql)| (name.to_owned(), sql.to_owned())).to_vec());
    Arc::new(WindowFactory::new(vec!["user".to_owned()], window, Arc::new(aggregates)))
}

fn go_on(instances: &mut Instances, stretch: &Stretch) {
    for (rows, watermark) in stretch {
        instances.rows(&batch(rows)).expect("rows");
        if let Some(at_ms) = watermark {
            instances.watermark(Watermark::AtMs(*at_ms)).expect("a watermark");
        }
    }
}

/// What comes behind a checkpoint: rows by port, sorted, and how many rows were late.
fn behind(
    instances: &mut Instances,
    state: &OperatorState,
    parallelism: u32,
    stretch: &Stretch,
) -> (BTreeMap<PortIndex, Vec<String>>, usize) {
    instances.heard = Default::default();
    instances.restore(state, parallelism).expect("restored");
    go_on(instances, stretch);
    instances.watermark(Watermark::End).expect("the end");
    let heard = std::mem::take(&mut instances.heard);
    (heard.clone().sorted(), heard.late)
}

fn check(
    window: Window,
    [before, between, after]: &[Stretch; 3],
    seed: u64,
    parallelisms: [u32; 3],
    folder: &Path,
) -> Result<(), TestCaseError> {
    let factory = windows(window);
    let input = batch(&[]);
    let stream = StreamType {
        schema: input.schema(),
        event_time: Some(EventTimeColumn::new("ts")),
        is_bounded: true,
        is_revised: false,
    };
    prop_assert_eq!(factory.replayed(&stream), Replayed::AsASet);

    let backend: Arc<dyn StateBackend> = Arc::new(MemoryBackend::new(1 << 30));
    let mut job = Instances::new(Arc::clone(&factory), backend, input.clone(), parallelisms[0]);
    go_on(&mut job, before);
    let older = job.checkpoint(&folder.join("job"));
    go_on(&mut job, between);
    let newest = job.checkpoint(&folder.join("job"));

    let backend: Arc<dyn StateBackend> = Arc::new(MemoryBackend::new(1 << 30));
    let mut replay = Instances::new(factory, backend, input, parallelisms[1]);
    replay.restore(&older, parallelisms[1]).expect("restored");
    let mut rows: Vec<Row> = between.iter().flat_map(|(rows, _)| rows.iter().copied()).collect();
    // Fisher and Yates, by a generator whose numbers are those of the seed.
    for last in (1..rows.len()).rev() {
        let other = volley_api::split_mix_64(seed.wrapping_add(last as u64)) % (last as u64 + 1);
        rows.swap(last, other as usize);
    }
    rows.chunks(7).try_for_each(|rows| replay.rows(&batch(rows))).expect("rows");
    if let Some(watermark) = newest.watermark {
        replay.watermark(watermark).expect("a watermark");
    }
    let rebuilt = replay.checkpoint(&folder.join("replay"));

    let expected = behind(&mut job, &newest, parallelisms[2], after);
    let found = behind(&mut replay, &rebuilt, parallelisms[2], after);
    prop_assert_eq!(found, expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn state_of_a_set_of_rows_does_not_know_their_order(
        script in script(),
        seed: u64,
        parallelisms in [1_u32..5, 1_u32..5, 1_u32..5],
        size_ms in 15_u64..1_000,
        slides in 2_u32..6,
    ) {
        let size = Duration::from_millis(size_ms);
        let slide = Duration::from_millis(size_ms.div_ceil(u64::from(slides)));
        for (number, window) in
            [Window::Tumbling { size }, Window::Sliding { size: slide * slides, slide }, Window::Global].into_iter().enumerate()
        {
            let folder = tempfile::tempdir().expect("a folder");
            check(window, &script, seed.wrapping_add(number as u64), parallelisms, folder.path())?;
        }
    }
}
