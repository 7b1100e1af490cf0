//! Why a protocol does not start, an epoch is abandoned, or a job fails.

use volley_api::{Epoch, Error, ErrorKind, TaskId};

use super::CommittableId;
use super::settings::RETAIN_MIN;

/// Why a protocol cannot begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Too few epochs would be kept.
    #[error("{retain} complete checkpoints would be kept: keep at least {RETAIN_MIN}")]
    Retain {
        /// The value seen.
        retain: u32,
    },
    /// A setting that must not be 0.
    #[error("`{setting}` is 0: use at least 1")]
    Zero {
        /// Which.
        setting: &'static str,
    },
    /// The store has an epoch that the run would use again.
    #[error("the run would begin with epoch {next}, but the store has epoch {highest} already")]
    EpochWouldBeReused {
        /// The first epoch of the run.
        next: Epoch,
        /// The highest found.
        highest: Epoch,
    },
    /// Two committables in the restored manifest have one name.
    #[error("the checkpoint of epoch {epoch} holds two different committables of {id}")]
    TwoCommittables {
        /// The restored epoch.
        epoch: Epoch,
        /// The name.
        id: CommittableId,
    },
}

impl From<StartError> for Error {
    fn from(error: StartError) -> Self {
        let kind = match error {
            StartError::Retain { .. } | StartError::Zero { .. } => ErrorKind::Config,
            StartError::EpochWouldBeReused { .. } => ErrorKind::Internal,
            StartError::TwoCommittables { .. } => ErrorKind::External,
        };
        Self::new(kind, error.to_string())
    }
}

/// Why an epoch is abandoned.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum EpochFailure {
    /// It took too long while tasks had not passed its barrier.
    #[error("{} of the job's tasks had not passed its barrier after {timeout_ms} ms, the first of them task {}", waiting_for.len(), waiting_for.first().map_or(0, |task| task.0))]
    NotPassed {
        /// What an epoch may take, in milliseconds.
        timeout_ms: u64,
        /// Tasks that had neither passed nor finished.
        waiting_for: Vec<TaskId>,
    },
    /// It took too long while it was being stored.
    #[error("it was not stored after {timeout_ms} ms{}", last.as_ref().map(|why| format!(", the last failure being: {why}")).unwrap_or_default())]
    NotInTime {
        /// What an epoch may take, in milliseconds.
        timeout_ms: u64,
        /// What went wrong last.
        last: Option<String>,
    },
    /// Its data could not be stored.
    #[error("its data could not be stored: {0}")]
    NotStored(String),
    /// Its manifest could not be written.
    #[error("its manifest could not be written: {0}")]
    ManifestNotWritten(String),
}

/// Why a job fails. What waits to be committed stays in the newest manifest, and the job's next run settles it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Too many epochs failed in a row.
    #[error(
        "{failures} checkpoints in a row have failed, and `tolerable_failures` is {tolerable}; the last was epoch \
         {epoch}: {last}"
    )]
    TooManyFailedEpochs {
        /// The last of them.
        epoch: Epoch,
        /// How many.
        failures: u32,
        /// How many may.
        tolerable: u32,
        /// What happened to the last.
        last: EpochFailure,
    },
    /// An outside system refuses output for good.
    #[error(
        "{id}: the commit was refused: {why}; the output stays staged, and is committed when the job is started again"
    )]
    CommitRefused {
        /// Which.
        id: CommittableId,
        /// Why.
        why: String,
    },
    /// An outside system never takes output.
    #[error(
        "{id}: committed {attempts} times, and still not visible, lastly: {why}; the output stays staged, and is \
         committed when the job is started again"
    )]
    CommitNeverTook {
        /// Which.
        id: CommittableId,
        /// How many times.
        attempts: u32,
        /// What became of the last commit.
        why: String,
    },
    /// An outside system cannot be asked what is committed.
    #[error("{id}: cannot find out whether it is committed: {why}; the output stays staged")]
    LookUpRefused {
        /// Which.
        id: CommittableId,
        /// Why.
        why: String,
    },
    /// A task has failed.
    #[error("task {}: {why}", task.0)]
    TaskFailed {
        /// Which.
        task: TaskId,
        /// Whose fault it is.
        kind: ErrorKind,
        /// Why.
        why: String,
    },
    /// A report that no task may make.
    #[error("task {}: {problem}", task.0)]
    BrokenReport {
        /// The task.
        task: TaskId,
        /// What is wrong with it.
        problem: String,
    },
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let kind = match &failure {
            Failure::TaskFailed { kind, .. } => *kind,
            Failure::BrokenReport { .. } => ErrorKind::Internal,
            Failure::TooManyFailedEpochs { .. }
            | Failure::CommitRefused { .. }
            | Failure::CommitNeverTook { .. }
            | Failure::LookUpRefused { .. } => ErrorKind::External,
        };
        Self::new(kind, failure.to_string())
    }
}
