//! What can go wrong with keyed state.

use std::path::PathBuf;
use std::sync::Arc;

use volley_api::{KeyGroup, KeyGroupRange, NodeName};

use crate::budget::Bytes;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a state refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// All state together would take more memory than it may.
    #[error(
        "operator `{node}`: its state `{state}` does not fit: all state in memory may take {}, and {} are taken; raise \
         the limit, or keep state on disk, with a host that is built with the feature `rocksdb`",
        Bytes(*limit_bytes),
        Bytes(*used_bytes)
    )]
    Limit {
        /// The operator whose state was to grow.
        node: NodeName,
        /// The name of that state.
        state: &'static str,
        /// What all states of the backend may take.
        limit_bytes: usize,
        /// What they take.
        used_bytes: usize,
    },
    /// A key that belongs to another instance.
    #[error(
        "operator `{node}`: a key of key group {} was looked for in the state `{state}` of the instance that has {}..{}",
        group.0,
        key_groups.start,
        key_groups.end
    )]
    ForeignKeyGroup {
        /// The operator.
        node: NodeName,
        /// The name of the state.
        state: &'static str,
        /// The key group of the key.
        group: KeyGroup,
        /// The key groups of the instance.
        key_groups: KeyGroupRange,
    },
    /// Keys without values, or values without keys.
    #[error("operator `{node}`: {values} values were given for {keys} keys of the state `{state}`")]
    ValueCount {
        /// The operator.
        node: NodeName,
        /// The name of the state.
        state: &'static str,
        /// How many keys.
        keys: usize,
        /// How many values.
        values: usize,
    },
    /// An entry that the format of snapshots has no number for.
    #[error("a key or value of {bytes} bytes cannot be part of a snapshot: the limit is 4 GiB")]
    EntryTooLarge {
        /// How long it is.
        bytes: usize,
    },
    /// A file of a checkpoint is not what a backend wrote.
    #[error("{}: not a snapshot of keyed state: {problem}", path.display())]
    Snapshot {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A part of a checkpoint whose keys or values are laid out in another way.
    #[error(
        "operator `{node}`: the checkpoint has its state `{state}` laid out as `{found}`, and the operator now keeps \
         `{wanted}`: start with the pipeline that wrote it, or begin afresh"
    )]
    Layout {
        /// The operator.
        node: NodeName,
        /// The name of the state.
        state: &'static str,
        /// The layout of the part.
        found: Arc<str>,
        /// The layout that the operator has.
        wanted: Arc<str>,
    },
    /// State on disk cannot be read or written.
    #[error("state in {}: {problem}", path.display())]
    Disk {
        /// The folder or file.
        path: PathBuf,
        /// What the system or RocksDB says.
        problem: String,
    },
    /// A folder for state on disk that somebody uses already.
    #[error(
        "the folder {} for state is in use by another process or another job of this one: name another, or stop that \
         one first",
        path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A part of a checkpoint that this build cannot read.
    #[error("state in the format {found} cannot be read{}", fix_of_format(found))]
    UnknownFormat {
        /// The format of the part.
        found: String,
    },
    /// A part of a checkpoint that another backend wrote.
    #[error(
        "operator `{node}`: the checkpoint has its state `{state}` in the format {found}, and this backend reads \
         {known}: start with the backend that wrote it"
    )]
    Format {
        /// The operator.
        node: NodeName,
        /// The name of the state.
        state: &'static str,
        /// The format of the part.
        found: String,
        /// The formats that can be read.
        known: &'static str,
    },
}

/// What makes a format readable, where that is known.
fn fix_of_format(found: &str) -> &'static str {
    if found.starts_with("rocksdb-1") {
        ": use a host that is built with the feature `rocksdb`"
    } else {
        ": use the version of Volley that wrote it, or a later one"
    }
}

impl From<Error> for volley_api::Error {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Limit { .. }
            | Error::Format { .. }
            | Error::UnknownFormat { .. }
            | Error::Layout { .. }
            | Error::InUse { .. } => volley_api::ErrorKind::Config,
            Error::Snapshot { .. } | Error::Disk { .. } => volley_api::ErrorKind::External,
            Error::ForeignKeyGroup { .. } | Error::ValueCount { .. } | Error::EntryTooLarge { .. } => {
                volley_api::ErrorKind::Internal
            }
        };
        Self::new(kind, error.to_string())
    }
}
