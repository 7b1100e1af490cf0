//! R11b: 1 GiB of state in RocksDB is restored: by links, as the same instance, and by range, as two. R11c: ten million keys of
//! 16 bytes of state in RocksDB within 1 GiB, against a hundred thousand in memory.

use std::error::Error;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use tokio::runtime::Runtime;
use volley_bench_support::timing::{Bar, Ratio};
use volley_runtime::{JobHandle, JobOptions};

use super::restored::{NEVER, WINDOW_MS, bytes_in, checkpoint, rows_after};
use super::scaled;
use crate::jobs::{Job, plan};
use crate::kept::Kept;
use crate::workload::Generated;

/// So many keys take a little more than 1 GiB in RocksDB's files: each 117 bytes there.
const KEYS_OF_A_GIB: u64 = 9_300_000;
/// How often the state is restored by links, and by range.
const RESTORES: (usize, usize) = (9, 3);
const MEMORY_BYTES: usize = 512 << 20;

/// Keys in memory and on disk of R11c.
const KEYS_IN_MEMORY: u64 = 100_000;
const KEYS_ON_DISK: u64 = 10_000_000;
/// Every key has come about as often before the clock runs, and while it does.
const WARM_UP_ROUNDS: u64 = 3;
const ROUNDS: u64 = 3;
/// What the process may take at the most, in MiB.
const PEAK_MIB_MAX: u64 = 1024;

/// Far more rows than are read.
fn source(keys: u64) -> Arc<Generated> {
    Arc::new(Generated { users: keys, ..Generated::new(1 << 40, 1) })
}

/// R11b.
pub(crate) fn restores(runtime: &Runtime, share: f64) -> Result<(), Box<dyn Error>> {
    let keys = scaled(KEYS_OF_A_GIB, share);
    let (folder, source, job) = (tempfile::tempdir()?, source(keys), Job::WindowedSpread(WINDOW_MS));
    runtime.block_on(async {
        let kept = Kept::start(plan(&job, source.clone(), 1)?.0, folder.path(), NEVER, MEMORY_BYTES).await?;
        rows_after(&kept.job, 5 * keys).await;
        let (_, new_bytes, _) = checkpoint(&kept).await;
        kept.suspend().await?;
        for (how, parallelism, count) in [("links", 1, RESTORES.0), ("range", 2, RESTORES.1)] {
            let mut times = Vec::new();
            for _ in 0..count {
                // Each goes on from where the one before began: what a restore by range leaves is two parts.
                let begin = Instant::now();
                let kept =
                    Kept::start(plan(&job, source.clone(), parallelism)?.0, folder.path(), NEVER, MEMORY_BYTES).await?;
                times.push(begin.elapsed());
                kept.job.abort();
                drop(kept.job.wait().await);
                kept.coordinator.abort();
                drop(kept.coordinator.await);
            }
            times.sort_unstable();
            let seconds = |at: usize| times[at].as_secs_f64();
            println!(
                "R11b_restore_by_{how} {:.2} s [{:.2}–{:.2}] ≤ 5, p50 of {count}, {new_bytes} bytes of {keys} keys",
                seconds(count / 2),
                seconds(0),
                seconds(count - 1)
            );
        }
        println!("R11b_checkpoint_folder {} bytes", bytes_in(&folder.path().join("checkpoints"))?);
        Ok::<_, Box<dyn Error>>(())
    })
}

/// Which side of R11c a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    Memory,
    Disk,
}

/// R11c: each side in a process of its own, so that its peak of memory is its own.
pub(crate) fn keys(share: f64) -> Result<(), Box<dyn Error>> {
    let (memory, disk) = (in_a_process(Side::Memory, share)?, in_a_process(Side::Disk, share)?);
    eprintln!("R11c: {:.0} rows/s in memory (peak {} MiB), {:.0} on disk", memory.0, memory.1, disk.0);
    Ratio::of(disk.0 / memory.0).print("R11c_keys_on_disk", Bar::Stated);
    println!("R11c_peak_memory {} MiB ≤ {PEAK_MIB_MAX}", disk.1);
    Ok(())
}

/// Rows per second, and the peak of memory in MiB.
fn in_a_process(side: Side, share: f64) -> Result<(f64, u64), Box<dyn Error>> {
    let name = side.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--side", &name, "--share", &share.to_string()]).stderr(Stdio::inherit());
    let output = command.output()?;
    let said = String::from_utf8(output.stdout)?;
    let mut words = said.split_whitespace();
    match (output.status.success(), words.next(), words.next()) {
        (true, Some(rate), Some(mib)) => Ok((rate.parse()?, mib.parse()?)),
        _ => Err(format!("the process for `{name}` ended with {} and said `{said}`", output.status).into()),
    }
}

/// One side, in this process: prints rows per second and the peak of memory in MiB.
pub(crate) fn side(runtime: &Runtime, side: Side, share: f64) -> Result<(), Box<dyn Error>> {
    let keys = scaled(if side == Side::Memory { KEYS_IN_MEMORY } else { KEYS_ON_DISK }, share);
    // As many rows on both sides.
    let rows = scaled(KEYS_ON_DISK, share);
    let (folder, job) = (tempfile::tempdir()?, Job::WindowedMean(WINDOW_MS));
    let plan = || plan(&job, source(keys), 1).map(|(plan, _)| plan);
    let rate = runtime.block_on(async {
        match side {
            Side::Memory => {
                let running = volley_runtime::start(plan()?, JobOptions::default()).await?;
                let rate = rate(&running, rows).await;
                running.abort();
                drop(running.wait().await);
                Ok::<_, Box<dyn Error>>(rate)
            }
            Side::Disk => {
                let kept = Kept::start(plan()?, folder.path(), NEVER, MEMORY_BYTES).await?;
                let rate = rate(&kept.job, rows).await;
                kept.suspend().await?;
                Ok(rate)
            }
        }
    })?;
    let mib = peak_mib().ok_or("this system does not tell the peak of memory (VmHWM in /proc/self/status)")?;
    println!("{rate:.0} {mib}");
    Ok(())
}

async fn rate(job: &JobHandle, rows: u64) -> f64 {
    let from = rows_after(job, WARM_UP_ROUNDS * rows).await;
    let begin = Instant::now();
    let to = rows_after(job, from + ROUNDS * rows).await;
    (to - from) as f64 / begin.elapsed().max(Duration::from_nanos(1)).as_secs_f64()
}

/// The most memory that the process had.
fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}
