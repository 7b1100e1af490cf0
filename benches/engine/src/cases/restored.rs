//! R11: a job with a million keys in RocksDB is started again: how long until its state is there, and until a second's worth
//! of rows has been read again. And what a checkpoint takes when few of the keys have changed.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use volley_runtime::JobHandle;

use crate::jobs::{Job, plan};
use crate::kept::Kept;
use crate::workload::Generated;

const KEYS: u64 = 1_000_000;
/// One window for all: nothing is put out, and every key stays.
pub(super) const WINDOW_MS: i64 = 1 << 50;
const MEMORY_BYTES: usize = 256 << 20;
/// Checkpoints come when they are asked for.
pub(super) const NEVER: Duration = Duration::from_secs(86_400);

pub(crate) fn run(runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    // Far more rows than are read.
    let source = Arc::new(Generated { users: KEYS, ..Generated::new(1 << 40, 1) });
    runtime.block_on(async {
        let job = Job::WindowedSum(WINDOW_MS);
        let kept = Kept::start(plan(&job, source.clone(), 1)?.0, folder.path(), NEVER, MEMORY_BYTES).await?;
        let begin = Instant::now();
        // Nearly every key has come by then.
        let rows = rows_after(&kept.job, 20 * KEYS).await;
        let rate = (rows as f64 / begin.elapsed().as_secs_f64()) as u64;
        let first = checkpoint(&kept).await;
        let again = checkpoint(&kept).await;
        println!("R11_checkpoint_of_{KEYS}_keys {} ms, {} new bytes", first.0.as_millis(), first.1);
        println!("R11_checkpoint_after_it {} ms, {} new bytes, {} as they were", again.0.as_millis(), again.1, again.2);
        kept.suspend().await?;
        println!("R11_checkpoint_folder {} bytes", bytes_in(&folder.path().join("checkpoints"))?);
        let begin = Instant::now();
        let kept = Kept::start(plan(&job, source, 1)?.0, folder.path(), NEVER, MEMORY_BYTES).await?;
        let restored = begin.elapsed();
        rows_after(&kept.job, rate).await;
        let replayed = begin.elapsed();
        println!(
            "R11_restore {:.2} s, with a second's rows ({rate}) {:.2} s ≤ 2",
            restored.as_secs_f64(),
            replayed.as_secs_f64()
        );
        kept.suspend().await?;
        Ok::<_, Box<dyn Error>>(())
    })
}

/// Waits until so many rows have been read.
pub(super) async fn rows_after(job: &JobHandle, rows: u64) -> u64 {
    loop {
        let read = job.progress().rows_read();
        if read >= rows {
            return read;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Takes a checkpoint: how long it took, its new bytes, and those that were in the store.
pub(super) async fn checkpoint(kept: &Kept) -> (Duration, u64, u64) {
    let before = kept.asker.progress().completed;
    kept.asker.checkpoint();
    loop {
        let progress = kept.asker.progress();
        if let Some(last) = progress.last.filter(|_| progress.completed > before) {
            return (last.took, last.new_bytes, last.reused_bytes);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub(super) fn bytes_in(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_in(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
