//! What can go wrong with checkpoints.

use std::fmt;

use volley_api::{Epoch, ErrorKind};

use crate::store::SyncFailed;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is wrong with one file of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file, below the folder of the job or savepoint.
    pub path: String,
    /// What is wrong with it: the value that was found and the one that should be there.
    pub problem: String,
    /// Whether it is not there at all.
    pub is_missing: bool,
}

impl Damage {
    pub(crate) fn new(path: &str, problem: impl fmt::Display) -> Self {
        Self { path: path.to_owned(), problem: problem.to_string(), is_missing: false }
    }

    /// A file that is not there.
    pub(crate) fn missing(path: &str) -> Self {
        Self { is_missing: true, ..Self::new(path, "it is missing") }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.problem)
    }
}

/// Why a checkpoint cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What was given as a location is none.
    #[error("checkpoint location `{location}`: {problem}")]
    Location {
        /// What was given.
        location: String,
        /// What is wrong, and what to write instead.
        problem: String,
    },
    /// The storage failed.
    #[error("cannot {action} {what}: {source}")]
    Storage {
        /// What was tried: `write`, `read`, `list` …
        action: &'static str,
        /// On what.
        what: String,
        /// What the storage said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was read back is not what was written.
    #[error("{what}: {written} were written, and {read} are there: the storage does not keep what it is given")]
    ReadBack {
        /// The file.
        what: String,
        /// Length and checksum of what was written.
        written: String,
        /// Length and checksum of what is there.
        read: String,
    },
    /// A later start of the job has taken over.
    #[error(
        "job `{job}`: this is start {own}, and start {seen} has taken over: this one stops and commits nothing more; if \
         both were meant to run, give them different names or locations"
    )]
    Superseded {
        /// The job.
        job: String,
        /// The incarnation that was refused.
        own: u64,
        /// The higher one.
        seen: u64,
    },
    /// The storage failed while an epoch was declared complete, and cannot say which of both it is.
    #[error(
        "epoch {epoch}: whether it is complete cannot be told ({source}): stop the job and start it again, which reads \
         what is there"
    )]
    OutcomeUnknown {
        /// The epoch.
        epoch: Epoch,
        /// What failed.
        source: Box<Error>,
    },
    /// There is no such epoch.
    #[error("there is no checkpoint {epoch} in {location}: list those that there are, and choose one")]
    NoSuchEpoch {
        /// The epoch asked for.
        epoch: Epoch,
        /// Where.
        location: String,
    },
    /// The epoch never became complete.
    #[error("checkpoint {epoch} is not complete ({reason}): choose another")]
    Incomplete {
        /// The epoch.
        epoch: Epoch,
        /// How far it came.
        reason: String,
    },
    /// Files of a checkpoint are missing or changed.
    #[error(
        "checkpoint {epoch} is damaged: {}{}",
        Damages(damage),
        before.map_or(String::new(), |before| format!("; the one before it, {before}, says that it is complete"))
    )]
    Damaged {
        /// The epoch.
        epoch: Epoch,
        /// What is wrong.
        damage: Vec<Damage>,
        /// The newest complete epoch before it.
        before: Option<Epoch>,
    },
    /// What was read again is not what had been read.
    #[error("checkpoint {epoch} was not rebuilt: {difference}; its sources do not give what they gave")]
    NotRebuilt {
        /// The epoch.
        epoch: Epoch,
        /// The first thing that differs.
        difference: String,
    },
    /// A later version of the host wrote it.
    #[error(
        "{what} has the format version {found}, and this host reads versions up to {known}: use the host that wrote it, \
         or a later one"
    )]
    NewerFormat {
        /// The manifest.
        what: String,
        /// Its version.
        found: u32,
        /// The highest version that can be read.
        known: u32,
    },
    /// The checkpoint belongs to another job.
    #[error(
        "{what} belongs to the job `{found}`, and this is the job `{expected}`: give the job its name back, or choose another checkpoint"
    )]
    OtherJob {
        /// The manifest.
        what: String,
        /// The job that it names.
        found: String,
        /// The job that was to go on from it.
        expected: String,
    },
    /// State was cut into another number of key groups.
    #[error("{what} has {found} key groups, and this host has {expected}: its state cannot be dealt out here")]
    OtherKeyGroups {
        /// The manifest.
        what: String,
        /// How many it has.
        found: u32,
        /// How many this host has.
        expected: u32,
    },
    /// A place for a savepoint that holds something already.
    #[error("the savepoint cannot be written to {target}: {found} lies there already; choose an empty place")]
    TargetNotEmpty {
        /// The place.
        target: String,
        /// What lies there.
        found: String,
    },
    /// There is no whole savepoint at a place.
    #[error("{location} holds no savepoint: {reason}")]
    NoSavepoint {
        /// The place.
        location: String,
        /// What is missing.
        reason: String,
    },
    /// A snapshot could not be taken.
    #[error("{0}")]
    Snapshot(volley_api::Error),
    /// A file of state failed to sync before.
    #[error(
        "the state file `{file}` could not be synced to the disk for an earlier checkpoint, so that what is in it may be \
         lost: no checkpoint relies on it; look after the disk, and start the job again, which goes on from its last checkpoint"
    )]
    Unsynced {
        /// Its identity.
        file: String,
    },
    /// Whoever drives the store broke a rule.
    #[error("{0}")]
    Broken(String),
}

impl Error {
    pub(crate) fn storage(
        action: &'static str,
        what: impl fmt::Display,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Storage { action, what: what.to_string(), source: source.into() }
    }

    /// Whether a file that is to be linked could not be synced.
    pub(crate) fn is_of_a_sync(&self) -> bool {
        matches!(self, Self::Storage { source, .. } if SyncFailed::is_in(&**source))
    }
}

/// At most five of them: a broken disk damages thousands of files at once.
struct Damages<'a>(&'a [Damage]);

impl fmt::Display for Damages<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX: usize = 5;
        for (index, damage) in self.0.iter().take(SHOWN_MAX).enumerate() {
            write!(f, "{}{damage}", if index == 0 { "" } else { "; " })?;
        }
        match self.0.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl From<Error> for volley_api::Error {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Location { .. }
            | Error::NoSuchEpoch { .. }
            | Error::Incomplete { .. }
            | Error::NewerFormat { .. }
            | Error::OtherJob { .. }
            | Error::OtherKeyGroups { .. }
            | Error::TargetNotEmpty { .. }
            | Error::NoSavepoint { .. } => ErrorKind::Config,
            Error::Storage { .. }
            | Error::ReadBack { .. }
            | Error::Superseded { .. }
            | Error::OutcomeUnknown { .. }
            | Error::Unsynced { .. }
            | Error::Damaged { .. }
            | Error::NotRebuilt { .. } => ErrorKind::External,
            Error::Snapshot(error) => return error,
            Error::Broken(_) => ErrorKind::Internal,
        };
        Self::new(kind, error.to_string())
    }
}
