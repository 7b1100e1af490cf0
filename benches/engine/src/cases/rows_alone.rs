//! A source that gives one row at a time: what coalescing makes of it.

use std::error::Error;
use std::sync::Arc;

use tokio::runtime::Runtime;
use volley_bench_support::timing::shortest;
use volley_runtime::JobOptions;

use crate::jobs::{Job, run as run_job};
use crate::workload::{Generated, WINDOW_MS};

const ROWS: u64 = 500_000;

/// Rows per second that are asked for.
const BAR: f64 = 850_000.0;

pub(crate) fn run(runtime: &Runtime, rounds: usize) -> Result<(), Box<dyn Error>> {
    let source = Arc::new(Generated { batch_rows: 1, ..Generated::new(ROWS, 1) });
    let mut job = || {
        let total = runtime.block_on(run_job(&Job::WindowedSum(WINDOW_MS), source.clone(), 1, JobOptions::default()));
        assert!(total.expect("the job runs").results > 0);
    };
    let time = shortest(rounds, &mut job);
    println!("single_row_W2_rows_per_second {:.0} ≥ {BAR:.0}", ROWS as f64 / time.as_secs_f64());
    Ok(())
}
