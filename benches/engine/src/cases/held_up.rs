//! R6_sync: for how long checkpoints hold the windowed sum up, with its state in RocksDB: from when a barrier has come from
//! everywhere until it is handed on.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::scaled;
use crate::jobs::{Job, plan};
use crate::kept::Kept;
use crate::workload::{Generated, WINDOW_MS};

const ROWS: u64 = 300_000_000;
/// Ten times as often as in R6, so that there are some to tell percentiles of.
const EVERY: Duration = Duration::from_millis(100);
const MEMORY_BYTES: usize = 256 << 20;

pub(crate) fn run(runtime: &Runtime, share: f64) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let source = Arc::new(Generated::new(scaled(ROWS, share), 1));
    // What is to be told of is a chain of its own where rows are dealt out to several.
    for parallelism in [1, 2] {
        let folder = folder.path().join(parallelism.to_string());
        std::fs::create_dir(&folder)?;
        let chains = runtime.block_on(async {
            let (plan, _) = plan(&Job::WindowedSum(WINDOW_MS), source.clone(), parallelism)?;
            let kept = Kept::start(plan, &folder, EVERY, MEMORY_BYTES).await?;
            let chains = kept.job.barrier_watcher();
            kept.finish().await?;
            Ok::<_, volley_api::Error>(chains())
        })?;
        for chain in chains {
            let count: u64 = chain.counts.iter().sum();
            let within = |share: f64| match chain.within_ns(share) {
                Some(ns) => format!("≤ {:.2} ms", ns as f64 / 1e6),
                None => "unknown".to_owned(),
            };
            println!(
                "R6_sync_{}_at_{parallelism} p50 {}, p99 {}, of {count} stated",
                chain.node,
                within(0.5),
                within(0.99)
            );
        }
    }
    Ok(())
}
