//! R6: the windowed sum with its state in RocksDB and a checkpoint every second, against the same in memory without.

use std::error::Error;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use volley_bench_support::timing::{Bar, in_turns};
use volley_runtime::JobOptions;

use crate::jobs::{Job, plan, run as run_job};
use crate::kept::Kept;
use crate::workload::{Generated, Total, WINDOW_MS};

/// Runs a job once, from nothing, with its state in RocksDB and a checkpoint every second.
pub(super) async fn once(job: &Job, source: Arc<Generated>, parallelism: u32) -> volley_api::Result<Total> {
    let folder = tempfile::tempdir().expect("a folder");
    let (plan, total) = plan(job, source, parallelism)?;
    Kept::start(plan, folder.path(), EVERY, MEMORY_BYTES).await?.finish().await?;
    let total = total.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(*total)
}

/// The same with so many rows that it takes checkpoints by the second: how long, and how many checkpoints.
pub(super) async fn long(job: &Job, parallelism: u32) -> volley_api::Result<(Duration, u64)> {
    let folder = tempfile::tempdir().expect("a folder");
    let (plan, _) = plan(job, Arc::new(Generated::new(ROWS_LONG, u64::from(parallelism))), parallelism)?;
    let begin = Instant::now();
    let kept = Kept::start(plan, folder.path(), EVERY, MEMORY_BYTES).await?;
    let asker = kept.asker.clone();
    kept.finish().await?;
    Ok((begin.elapsed(), asker.progress().completed))
}

/// Rows of [`long`].
pub(super) const ROWS_LONG: u64 = 600_000_000;
/// So many that the job takes several seconds.
const ROWS: u64 = 300_000_000;
const EVERY: Duration = Duration::from_secs(1);
const MEMORY_BYTES: usize = 256 << 20;

pub(crate) fn run(runtime: &Runtime, rounds: usize) -> Result<(), Box<dyn Error>> {
    let source = Arc::new(Generated::new(ROWS, 1));
    let job = Job::WindowedSum(WINDOW_MS);
    let without = || runtime.block_on(run_job(&job, source.clone(), 1, JobOptions::default())).expect("the job runs");
    let mut checkpoints = Vec::new();
    let mut with = || {
        let folder = tempfile::tempdir().expect("a folder");
        runtime.block_on(async {
            let (plan, total) = plan(&job, source.clone(), 1)?;
            let kept = Kept::start(plan, folder.path(), EVERY, MEMORY_BYTES).await?;
            let asker = kept.asker.clone();
            kept.finish().await?;
            checkpoints.push(asker.progress());
            let total = total.lock().unwrap_or_else(PoisonError::into_inner);
            Ok::<_, volley_api::Error>(*total)
        })
    };
    let (expected, found) = (without(), with()?);
    super::same("R6", found, expected)?;
    let pair = in_turns(
        rounds.min(5),
        &mut || {
            std::hint::black_box(without());
        },
        &mut || {
            std::hint::black_box(with()).expect("the job runs");
        },
    );
    let taken: u64 = checkpoints.iter().map(|progress| progress.completed).sum();
    let abandoned: u64 = checkpoints.iter().map(|progress| progress.abandoned).sum();
    eprintln!(
        "R6: {:.2} s without, {:.2} s with {:.1} checkpoints a run ({abandoned} given up in all)",
        pair.first.as_secs_f64(),
        pair.second.as_secs_f64(),
        taken as f64 / checkpoints.len() as f64
    );
    pair.ratio.print("R6_W2", Bar::AtLeast(0.9));
    Ok(())
}
