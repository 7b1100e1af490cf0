//! The snapshot of a state: what was written until the barrier goes to RocksDB, then RocksDB makes a checkpoint.
//!
//! From the barrier until the checkpoint is made, nothing that is written later may go to RocksDB. So the making is one
//! step under a lock, and whoever needs it done does it: as a rule the thread that wants the files; the state itself where
//! it has no memory left to wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use volley_api::{SnapshotContent, SnapshotFile, StateSnapshot};

use super::folder::hit;
use super::layer::Layer;
use super::store::{CheckpointFolder, Store};
use crate::Result;

/// Name and version of the format.
pub(crate) const FORMAT: &str = "rocksdb-1";

/// A checkpoint that is to be made.
pub(crate) struct Pending {
    store: Arc<Store>,
    stage: Mutex<Stage>,
    /// Whether the stage is a later one than the first: looked at for every batch.
    is_settled: AtomicBool,
}

enum Stage {
    /// What was written until the barrier is still to go to RocksDB.
    Waiting(Arc<Layer>),
    /// It is there, and the checkpoint is made.
    Made(CheckpointFolder),
    /// There is no checkpoint, and perhaps a part of it is there.
    Failed(crate::Error),
    /// It was made, and nobody needs it any more.
    Done,
    /// Nobody wanted it to be made.
    Dropped,
}

/// How a pending checkpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing that was written after the barrier may go to RocksDB yet.
    Open,
    /// What was written until the barrier is in RocksDB.
    Written,
    /// The checkpoint will not be made, and what was written until the barrier is not all in RocksDB.
    NotWritten,
}

impl Pending {
    pub(crate) fn new(store: Arc<Store>, layer: Arc<Layer>) -> Self {
        Self { store, stage: Mutex::new(Stage::Waiting(layer)), is_settled: AtomicBool::new(false) }
    }

    /// How it stands, without waiting.
    pub(crate) fn outcome(&self) -> Outcome {
        if !self.is_settled.load(Ordering::Acquire) {
            return Outcome::Open;
        }
        match *self.stage() {
            Stage::Waiting(_) => Outcome::Open,
            Stage::Made(_) | Stage::Done => Outcome::Written,
            Stage::Failed(_) | Stage::Dropped => Outcome::NotWritten,
        }
    }

    /// Makes the checkpoint, unless that was done; where another thread is at it, waits for it.
    pub(crate) fn make(&self) {
        drop(self.made());
    }

    fn made(&self) -> MutexGuard<'_, Stage> {
        let mut stage = self.stage();
        if let Stage::Waiting(layer) = &*stage {
            let made = self.flushed(layer).and_then(|()| self.store.checkpoint());
            self.settle(&mut stage, made.map_or_else(Stage::Failed, Stage::Made));
        }
        stage
    }

    /// Brings what was written until the barrier to RocksDB.
    fn flushed(&self, layer: &Layer) -> Result<()> {
        hit("rocks-flush", self.store.folder())?;
        self.store.write(layer)?;
        hit("rocks-flushed", self.store.folder())
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, stage: &mut Stage, now: Stage) {
        *stage = now;
        self.is_settled.store(true, Ordering::Release);
    }

    fn files(&self) -> Result<Vec<SnapshotFile>> {
        let files = match &*self.made() {
            Stage::Made(folder) => {
                hit("rocks-files", self.store.folder())?;
                folder.files()?
            }
            Stage::Failed(error) => return Err(error.clone()),
            // Only a snapshot asks, and it is there.
            Stage::Waiting(_) | Stage::Done | Stage::Dropped => Vec::new(),
        };
        let file = |(name, path): (String, _)| {
            let identity = self.store.identity_of(&name);
            let name = identity.clone().unwrap_or(name);
            SnapshotFile { name, identity, content: SnapshotContent::File(path) }
        };
        Ok(files.into_iter().map(file).collect())
    }
}

/// What the checkpoint takes: its files are links beside the state, and gone when this is dropped.
pub(crate) struct RocksSnapshot(pub(crate) Arc<Pending>);

impl StateSnapshot for RocksSnapshot {
    fn files(&mut self) -> volley_api::Result<Vec<SnapshotFile>> {
        Ok(self.0.files()?)
    }
}

impl Drop for RocksSnapshot {
    fn drop(&mut self) {
        let mut stage = self.0.stage();
        let now = if matches!(*stage, Stage::Made(_)) { Stage::Done } else { Stage::Dropped };
        self.0.settle(&mut stage, now);
    }
}
