//! Keyed state on disk, in RocksDB.

mod arena;
mod clean;
mod expire;
mod folder;
pub(crate) mod keys;
mod layer;
mod restore;
mod scan;
mod share;
mod snapshot;
mod state;
mod store;
mod table;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use volley_api::{KeyedState, StateBackend, StateContext};

use self::folder::WorkFolder;
pub(crate) use self::restore::{bulk_reads, link_to_look_at};
use self::share::Shares;
pub(crate) use self::snapshot::FORMAT;
use self::state::RocksState;
pub(crate) use self::store::{SharedMemory, rocks_error};
use crate::{Result, budget, ttl};

/// What of the memory is for the cache in front of RocksDB, as a divisor.
const WRITE_BEHIND_PART: usize = 4;
/// What an operator's instance may hold back, as a divisor of all memory, and at the most.
const HELD_BACK_PART: usize = 16;
const HELD_BACK_BYTES_MAX: usize = 16 << 20;

/// How much memory state on disk may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RocksOptions {
    /// For all states of the backend together, in bytes: their caches, the blocks that RocksDB has read, and what it has
    /// not yet written out. RocksDB's compactions and the allocator take some on top, so leave a third of it free.
    pub memory_bytes: usize,
    /// What of it is for the caches, in which a value may be changed many times before it goes to RocksDB; in bytes. The
    /// open states share it alike. With 0, everything goes to RocksDB at once.
    pub write_behind_bytes: usize,
}

impl RocksOptions {
    /// So much memory in bytes, a quarter of it for the caches.
    #[must_use]
    pub fn new(memory_bytes: usize) -> Self {
        Self { memory_bytes, write_behind_bytes: memory_bytes / WRITE_BEHIND_PART }
    }
}

impl Default for RocksOptions {
    /// 512 MiB.
    fn default() -> Self {
        Self::new(512 << 20)
    }
}

/// Keeps state in RocksDB, in a folder of its own, with a write-behind cache in front of it.
///
/// The folder is a place to work in: nothing in it outlives the process, and what a process left there is thrown away by
/// the next. State that is to be found again is in checkpoints. A checkpoint links to RocksDB's files, so it is quickest
/// where both lie in one file system.
///
/// Entries of a state without a time to live do not expire by themselves: operators remove the namespaces that they are
/// done with. Those of one with it are left out when RocksDB merges files, and when a part is restored by reading it; a
/// checkpoint may have some whose time has passed, which are not given out.
///
/// Clones are the same backend.
#[derive(Clone)]
pub struct RocksBackend {
    folder: Arc<WorkFolder>,
    memory: Arc<SharedMemory>,
    shares: Arc<Shares>,
    options: RocksOptions,
}

impl RocksBackend {
    /// A backend that keeps its states in `folder`, which is made where it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made or written to, or another backend uses it, in this process or another.
    pub fn new(folder: impl AsRef<Path>, options: RocksOptions) -> Result<Self> {
        let memory = SharedMemory::new(options.memory_bytes.saturating_sub(options.write_behind_bytes));
        Ok(Self {
            folder: Arc::new(WorkFolder::take(folder.as_ref())?),
            memory: Arc::new(memory),
            shares: Shares::new(options.write_behind_bytes),
            options,
        })
    }
}

impl StateBackend for RocksBackend {
    fn label(&self) -> String {
        format!("RocksDB in {}, with {}", self.folder.path().display(), budget::Bytes(self.options.memory_bytes))
    }

    fn format(&self) -> &'static str {
        snapshot::FORMAT
    }

    fn held_back_bytes_max(&self) -> Option<usize> {
        Some((self.options.memory_bytes / HELD_BACK_PART).min(HELD_BACK_BYTES_MAX))
    }

    fn check(&self, context: &StateContext) -> volley_api::Result<()> {
        Ok(restore::check(context)?)
    }

    fn open(&self, mut context: StateContext) -> volley_api::Result<Box<dyn KeyedState>> {
        let folder = self.folder.state(&context)?;
        let (store, stored) = restore::open(folder, &self.memory, &context)?;
        context.restored = Vec::new();
        let state = RocksState::new(context.clone(), store, self.shares.take(context.cache_entries_max), stored);
        Ok(ttl::within(Box::new(state), &context))
    }
}

impl fmt::Debug for RocksBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RocksBackend({})", self.label())
    }
}
