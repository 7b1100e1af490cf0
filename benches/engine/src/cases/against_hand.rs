//! R4, R5: from memory, against one loop over the same batches. R7: two workers against one.

use std::error::Error;
use std::sync::Arc;

use arrow::array::RecordBatch;
use tokio::runtime::Runtime;
use volley_bench_support::timing::{Bar, in_turns};
use volley_connector_memory::MemorySource;
use volley_runtime::JobOptions;

use super::same;
use crate::by_hand;
use crate::jobs::{Job, run as run_job};
use crate::workload::{self, ROWS, Total, W1, W2, WINDOW_MS};

const BATCH_ROWS: usize = 8_192;

pub(crate) fn run(runtime: &Runtime, rounds: usize, is_wanted: impl Fn(&str) -> bool) -> Result<(), Box<dyn Error>> {
    let batches = batches(0, 1);
    let whole = Arc::new(MemorySource::new(workload::schema(), vec![batches.clone()])?);
    let job =
        |job: Job| runtime.block_on(run_job(&job, whole.clone(), 1, JobOptions::default())).expect("the job runs");
    type Loop = fn(&[RecordBatch]) -> Total;
    let cases: [(&str, Job, Loop, Total, f64); 2] = [
        ("R4_W1", Job::FilterAndMap, by_hand::filter_and_map, W1, 0.6),
        ("R5_W2", Job::WindowedSum(WINDOW_MS), by_hand::windowed_sum, W2, 0.35),
    ];
    for (name, which, by_hand, expected, bar) in cases.into_iter().filter(|case| is_wanted(case.0)) {
        same(name, job(which.clone()), expected)?;
        same("the loop", by_hand(&batches), expected)?;
        let pair = in_turns(
            rounds,
            &mut || {
                std::hint::black_box(job(which.clone()));
            },
            &mut || {
                std::hint::black_box(by_hand(&batches));
            },
        );
        let per_second = |time: std::time::Duration| ROWS as f64 / time.as_secs_f64() / 1e6;
        eprintln!("{name}: {:.1} million rows/s, by hand {:.1}", per_second(pair.first), per_second(pair.second));
        pair.ratio.inverse().print(name, Bar::AtLeast(bar));
    }
    if is_wanted("R7") {
        let splits = vec![self::batches(0, 2), self::batches(1, 2)];
        let halves = Arc::new(MemorySource::new(workload::schema(), splits)?);
        let workers = |workers: u32| {
            runtime.block_on(run_job(&Job::WindowedSum(WINDOW_MS), halves.clone(), workers, JobOptions::default()))
        };
        same("R7", workers(2)?, W2)?;
        same("R7", workers(1)?, W2)?;
        let pair = in_turns(
            rounds,
            &mut || {
                std::hint::black_box(workers(2)).expect("the job runs");
            },
            &mut || {
                std::hint::black_box(workers(1)).expect("the job runs");
            },
        );
        pair.ratio.inverse().print("R7_W2", Bar::AtLeast(1.5));
    }
    Ok(())
}

/// Every `step`th row from `first` on.
fn batches(first: u64, step: u64) -> Vec<RecordBatch> {
    let rows = ROWS / step;
    let starts = (0..rows).step_by(BATCH_ROWS);
    starts.map(|row| workload::batch(first + row * step, step, BATCH_ROWS.min((rows - row) as usize))).collect()
}
