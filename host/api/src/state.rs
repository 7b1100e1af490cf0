//! Keyed state: values by key, within namespaces, in batches.
//!
//! An operator's state is cut into key groups ([`crate::KeyGroup`]), which are dealt out to its subtasks; a checkpoint keeps
//! it by key group, so that a restart may deal it out differently. Within a key group, state lies under a *namespace* (the
//! window that it belongs to) and a *key* (the encoded key columns). Backends are memory and RocksDB; the runtime drives
//! this trait and knows neither.

use std::fmt::Debug;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::ttl::{has_write_times, stored_layout};
use crate::{Error, KeyGroup, KeyGroupRange, NodeName, Result, StateTtl, SubtaskId};

/// What state within a key group belongs to: a window, by its number in time order, or 0 where there are no windows.
/// Namespaces are scanned in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(pub i64);

/// Which state is to be opened.
#[derive(Debug, Clone)]
pub struct StateContext {
    /// The operator, under whose name (`uid`) the state is kept.
    pub node: NodeName,
    /// Name of the state among those of the operator.
    pub name: &'static str,
    /// The instance that opens it.
    pub subtask: SubtaskId,
    /// The key groups that belong to the instance.
    pub key_groups: KeyGroupRange,
    /// How keys and values are laid out: the types of both, in words. State of another layout is refused at a restore.
    pub layout: Arc<str>,
    /// How long entries live; `None` for ever. Backends never give out an entry whose time has passed, whichever call it is,
    /// also when it was restored; when they forget it is their own business, as long as they do.
    pub ttl: Option<StateTtl>,
    /// How many entries a backend on disk may keep in memory, beside the bound on their bytes. `None` for no other bound.
    pub cache_entries_max: Option<NonZeroUsize>,
    /// What a checkpoint has of this state, all of it for key groups of this instance or of others beside them; none for
    /// a job that begins.
    pub restored: Vec<StatePart>,
}

impl StateContext {
    /// The layout as a part of a checkpoint names it, with whether values carry when they were written. A backend refuses
    /// parts of any other.
    #[must_use]
    pub fn stored_layout(&self) -> Arc<str> {
        stored_layout(&self.layout, self.ttl.is_some())
    }
}

/// The state of one instance as a checkpoint has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatePart {
    /// The key groups of the instance that wrote it. An instance that restores a part takes the entries of its own key
    /// groups and leaves the others alone.
    pub key_groups: KeyGroupRange,
    /// How keys and values are laid out: [`StateContext::stored_layout`].
    pub layout: Arc<str>,
    /// Which backend wrote it, and in which version: [`StateBackend::format`].
    pub format: String,
    /// The files that it is made of, by their names in the snapshot: there to be read, not to be changed.
    pub files: Vec<StateFile>,
}

impl StatePart {
    /// Whether each value stands behind the time at which it was written: whether the state had a time to live.
    #[must_use]
    pub fn has_write_times(&self) -> bool {
        has_write_times(&self.layout)
    }
}

/// A file of a [`StatePart`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateFile {
    /// Its name within the snapshot.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
}

/// The state of one instance as it was at a barrier, while the instance goes on.
pub trait StateSnapshot: Send {
    /// The files that it is made of. Blocks: called off the chain's thread. Files are there until this is dropped.
    ///
    /// # Errors
    /// When the storage fails; the checkpoint is abandoned then.
    fn files(&mut self) -> Result<Vec<SnapshotFile>>;
}

/// A file of a [`StateSnapshot`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotFile {
    /// Its name within the snapshot.
    pub name: String,
    /// A name that only files of the same content have, where there is one: a checkpoint that has a file of that name
    /// need not take it again.
    pub identity: Option<String>,
    /// What is in it.
    pub content: SnapshotContent,
}

/// Where the bytes of a [`SnapshotFile`] are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotContent {
    /// Here.
    Bytes(Bytes),
    /// In a file that does not change any more; it may be linked to.
    File(PathBuf),
}

/// Opens keyed state.
pub trait StateBackend: Send + Sync + Debug {
    /// What it is, in a few words: `memory, at most 1 GiB`.
    fn label(&self) -> String;

    /// The name and version of its snapshots: `memory-1`. A backend restores snapshots of its own formats.
    fn format(&self) -> &'static str;

    /// How many bytes of changes an operator's instance may hold back before it hands them to its state: `None` where that
    /// would not free memory.
    fn held_back_bytes_max(&self) -> Option<usize> {
        None
    }

    /// Refuses what [`StateBackend::open`] would not restore by its format or layout, without reading it. Default: nothing.
    ///
    /// # Errors
    /// As there: the message names the operator and both.
    fn check(&self, context: &StateContext) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// Opens one state for one instance: with what the context restores, or empty.
    ///
    /// # Errors
    /// When the storage cannot be opened, or a part is of a format or layout that is not the context's: the message names
    /// the operator and both.
    fn open(&self, context: StateContext) -> Result<Box<dyn KeyedState>>;
}

/// A key with the group that it hashes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateKey<'a> {
    /// The key group.
    pub group: KeyGroup,
    /// The encoded key columns.
    pub key: &'a [u8],
}

/// One entry that a scan gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateEntry {
    /// The key group.
    pub group: KeyGroup,
    /// The namespace.
    pub namespace: Namespace,
    /// The encoded key columns.
    pub key: Bytes,
    /// The value.
    pub value: Bytes,
}

/// The state of one operator instance under one name. Every method works on many keys at once.
///
/// Keys and values are any bytes, none at all included. What was put is seen by every later call, and by no other state:
/// states differ by operator, name and instance. Keys outside the instance's key groups are a fault of the caller
/// ([`ErrorKind::Internal`](crate::ErrorKind::Internal)), and refused before anything of their batch is done. Another error
/// may leave a part of the batch done: the instance is then to go back to its last checkpoint.
///
/// Where the context has a time to live, what is said here of an entry holds until its time has passed; from then on it is as
/// if it had been removed.
///
/// The suites `keyed_state_contract` and `keyed_state_ttl_contract` in `tests/contract` hold implementations to this.
pub trait KeyedState: Send {
    /// The values of `keys` in `namespace`, in their order; `None` where there is none. A key may occur several times.
    ///
    /// # Errors
    /// When the storage fails.
    fn get_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>]) -> Result<Vec<Option<Bytes>>>;

    /// Sets the values of `keys` in `namespace`; of a key that occurs several times the last value stays. There is one value
    /// for each key.
    ///
    /// # Errors
    /// When the numbers of keys and values differ, the storage fails, or the state would grow beyond its limit: the message
    /// names the limit and what lifts it.
    fn put_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>], values: &[&[u8]]) -> Result<()>;

    /// Removes `keys` from `namespace`. Keys without a value are passed over.
    ///
    /// # Errors
    /// When the storage fails.
    fn remove_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>]) -> Result<()>;

    /// At most `entries_max` entries whose namespace lies in `namespaces`, ordered by namespace, then key group, then key;
    /// those that come after `after`, where it is given, whether it is still there or not. Fewer than `entries_max` means that
    /// there are no more. Between two calls the state may change: entries that were there all the time are given once.
    ///
    /// # Errors
    /// When the storage fails.
    fn scan(
        &mut self,
        namespaces: RangeInclusive<Namespace>,
        after: Option<&StateEntry>,
        entries_max: usize,
    ) -> Result<Vec<StateEntry>>;

    /// The namespaces that have entries, ascending.
    ///
    /// # Errors
    /// When the storage fails.
    fn namespaces(&mut self) -> Result<Vec<Namespace>>;

    /// Removes every entry of a namespace.
    ///
    /// # Errors
    /// When the storage fails.
    fn remove_namespace(&mut self, namespace: Namespace) -> Result<()>;

    /// The state as it is now, for a checkpoint. Quick: what is written later changes nothing of it. At most one snapshot
    /// of a state is alive at a time.
    ///
    /// # Errors
    /// When the storage fails.
    fn snapshot(&mut self) -> Result<Box<dyn StateSnapshot>>;

    /// How many entries there are; a backend that does not count may estimate.
    fn len_estimate(&self) -> usize;

    /// About how many bytes of memory it takes.
    fn memory_bytes(&self) -> usize;
}

/// Refuses every state: for jobs without any, and tests of operators that keep none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoState;

impl StateBackend for NoState {
    fn label(&self) -> String {
        "no state".to_owned()
    }

    fn format(&self) -> &'static str {
        "none"
    }

    fn check(&self, context: &StateContext) -> Result<()> {
        Err(Self::refused(context))
    }

    fn open(&self, context: StateContext) -> Result<Box<dyn KeyedState>> {
        Err(Self::refused(&context))
    }
}

impl NoState {
    fn refused(StateContext { node, name, .. }: &StateContext) -> Error {
        Error::config(format!("`{node}` keeps state (`{name}`), and the job was started without a state backend"))
    }
}
