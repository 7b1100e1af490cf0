//! Windows with next to nothing in memory and their state in RocksDB: the same results as without any bound, in memory.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::util::display::array_value_to_string;
use volley::prelude::*;
use volley::{Count, Session, Sliding, Tumbling, Window};
use volley_api::split_mix_64;
use volley_state::{RocksBackend, RocksOptions};

use crate::support::Folder;

/// Batches of rows whose times ascend but for some disorder; the same for the same seed.
fn batches(seed: u64) -> Vec<RecordBatch> {
    let mut state = seed;
    let mut random = move |below: u64| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        i64::try_from(split_mix_64(state) % below).expect("a small number")
    };
    let mut at = -2_000;
    let mut batch = |_| {
        let rows: Vec<(i64, i64, i64)> = (0..40)
            .map(|_| {
                at += random(30);
                (random(12), at - random(300), random(50))
            })
            .collect();
        let column = |of: fn(&(i64, i64, i64)) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(rows.iter().map(of)))
        };
        let columns = [("user", column(|row| row.0)), ("at", column(|row| row.1)), ("amount", column(|row| row.2))];
        RecordBatch::try_from_iter(columns).expect("three columns of one length")
    };
    (0..25).map(&mut batch).collect()
}

/// The results of a window, sorted, as texts.
fn results(env: &StreamExecutionEnvironment, seed: u64, window: Window, bound: Option<NonZeroUsize>) -> Vec<String> {
    let batches = batches(seed);
    let rows = env.from_batches(batches[0].schema(), batches);
    let timed = rows.with_watermarks(WatermarkStrategy::bounded_out_of_orderness("at", Duration::from_millis(100)));
    let keyed = timed.key_by(["user"]);
    let keyed = bound.map_or(keyed.clone(), |bound| keyed.with_max_cache_entries(bound));
    let lateness = if matches!(window, Window::Count { .. }) { 0 } else { 50 };
    let windowed = keyed.window(window).allowed_lateness(Duration::from_millis(lateness));
    let windowed = bound.map_or(windowed.clone(), |bound| windowed.with_max_pending_windows(bound));
    let sums = windowed.aggregate_expr([sum("amount").alias("total"), count(), first("amount").alias("first")]);
    let batches = sums.collect_blocking().expect("runs");
    let text = |batch: &RecordBatch, row: usize| -> String {
        let values = batch.columns().iter().map(|column| array_value_to_string(column, row).expect("a value"));
        values.collect::<Vec<_>>().join(" ")
    };
    let mut rows: Vec<String> =
        batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| text(batch, row))).collect();
    rows.sort_unstable();
    rows
}

#[test]
fn results_are_those_of_windows_without_bounds() {
    let ms = Duration::from_millis;
    let windows: [Window; 5] = [
        Tumbling::of(ms(170)).into(),
        Sliding::of(ms(400), ms(100)).into(),
        Sliding::of(ms(150), ms(100)).into(),
        Session::with_gap(ms(60)).into(),
        Count::of(3).into(),
    ];
    let folder = Folder::new();
    for (seed, window) in (0..).zip(windows) {
        let expected = results(&StreamExecutionEnvironment::new(), seed, window, None);
        assert!(expected.len() > 100, "{window}: {} results", expected.len());
        for bound in [1, 2, 7] {
            let state = folder.path(&format!("state-{seed}-{bound}"));
            let options = RocksOptions { memory_bytes: 8 << 20, write_behind_bytes: 4 << 20 };
            let env = StreamExecutionEnvironment::new();
            let env = env.set_state_backend(RocksBackend::new(&state, options).expect("a folder of its own"));
            assert_eq!(results(&env, seed, window, NonZeroUsize::new(bound)), expected, "{window} with {bound}");
        }
    }
}
