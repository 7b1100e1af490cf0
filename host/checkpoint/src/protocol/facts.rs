//! What the protocol is told.

use volley_api::{CommitStatus, Committable, Epoch, ErrorKind, NodeName, TaskId};

/// Names a committable: no two of a job are the same in all of it. In order of epochs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommittableId {
    /// The epoch that it was prepared for.
    pub epoch: Epoch,
    /// The sink.
    pub sink: NodeName,
    /// The writer.
    pub subtask: u32,
    /// The run that prepared it.
    pub incarnation: u64,
}

impl CommittableId {
    /// The name of a committable.
    #[must_use]
    pub fn of(committable: &Committable) -> Self {
        Self {
            epoch: committable.epoch,
            sink: committable.sink.clone(),
            subtask: committable.subtask,
            incarnation: committable.run.incarnation,
        }
    }
}

impl std::fmt::Display for CommittableId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "epoch {} of sink `{}`, writer {}", self.epoch, self.sink, self.subtask)
    }
}

/// Something that has happened. Facts about what is over (an abandoned epoch, a settled committable) are no error and
/// change nothing, except that output is never lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Nothing else. To be given when [`super::Protocol::wake_at_ms`] says so.
    TimePassed,
    /// The job has that many tasks. Once, before any of them reports.
    TasksKnown {
        /// How many.
        tasks: u32,
    },
    /// The barrier of an epoch has passed through a task. In order for each task.
    TaskPassed {
        /// The task.
        task: TaskId,
        /// The epoch, which [`super::Decision::InjectBarrier`] named.
        epoch: Epoch,
        /// What its sinks prepared, for this epoch.
        output: Vec<Committable>,
    },
    /// A task has done its work. Barriers that it has not reported do not reach it.
    TaskFinished {
        /// The task.
        task: TaskId,
        /// What its sinks prepared since; of an epoch that it has not passed.
        output: Vec<Committable>,
    },
    /// A task has failed, and the job with it.
    TaskFailed {
        /// The task.
        task: TaskId,
        /// Whose fault it is.
        kind: ErrorKind,
        /// What went wrong.
        why: String,
    },
    /// Everything that [`super::Decision::StoreParts`] asked for is durable, and was verified.
    DataDurable {
        /// The epoch.
        epoch: Epoch,
    },
    /// It could not be stored.
    DataNotStored {
        /// The epoch.
        epoch: Epoch,
        /// Why.
        why: String,
        /// Whether to try again within the epoch. False after a failed fsync, which says nothing of what it lost: the
        /// epoch is abandoned then.
        is_retryable: bool,
    },
    /// The manifest of an epoch is complete: durable, and read back as it was written. As a rule there are two of it; where
    /// one did not come to be, the next epoch or the next start makes it.
    ManifestComplete {
        /// The epoch.
        epoch: Epoch,
    },
    /// The manifest is certainly not in the store.
    ManifestNotWritten {
        /// The epoch.
        epoch: Epoch,
        /// Why.
        why: String,
        /// Whether to try again within the epoch.
        is_retryable: bool,
    },
    /// The manifest may be in the store or not. The same manifest will be asked for again.
    ManifestUnknown {
        /// The epoch.
        epoch: Epoch,
        /// Why.
        why: String,
    },
    /// What became of [`super::Decision::Commit`].
    CommitAnswered {
        /// Of what.
        id: CommittableId,
        /// The answer.
        answer: CommitAnswer,
    },
    /// What became of [`super::Decision::LookUp`].
    LookUpAnswered {
        /// Of what.
        id: CommittableId,
        /// The answer.
        answer: LookUpAnswer,
    },
    /// [`super::Decision::Abort`] has ended, well or not: what was staged stays invisible all the same.
    AbortDone {
        /// Of what.
        id: CommittableId,
    },
    /// A newer run of the job has claimed an incarnation.
    HigherIncarnation {
        /// Which.
        seen: u64,
    },
    /// Somebody wants a checkpoint now.
    CheckpointAsked {
        /// Whether it is to be kept until somebody removes it.
        is_savepoint: bool,
    },
    /// Somebody wants the job to end. Without draining wins over with it.
    StopAsked {
        /// With: sources end, all that was read is finished, and so is the job. Without: after one last epoch, from which
        /// the job can go on.
        drain: bool,
    },
    /// Somebody needs a complete epoch.
    Pinned(Epoch),
    /// Nobody does any more.
    Unpinned(Epoch),
    /// What became of [`super::Decision::Remove`].
    CleanedUp {
        /// Whether all was removed. If not, it is asked for again when a further epoch is complete.
        is_complete: bool,
    },
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitAnswer {
    /// It is visible.
    Committed,
    /// The outside system will never take it.
    Refused {
        /// Why.
        why: String,
    },
    /// There was no answer, or an error that may hide a success.
    Lost {
        /// Why.
        why: String,
    },
}

/// What became of a look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookUpAnswer {
    /// The outside system's word.
    Status(CommitStatus),
    /// It could not be asked.
    Failed {
        /// Why.
        why: String,
        /// Whether to ask again.
        is_retryable: bool,
    },
}
