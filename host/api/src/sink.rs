//! Sinks: two-phase, so that what an epoch wrote becomes visible only when the epoch is complete (design §6).

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;

use crate::{Clock, Epoch, NodeName, Result, SubtaskId};

/// What a sink promises when the host fails and starts again from its last checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryGuarantee {
    /// Each row appears once: output is staged, and committed with the epoch.
    ExactlyOnce,
    /// Rows may appear again.
    AtLeastOnce,
    /// Rows appear as they are written; a failed job leaves what it had written (standard output).
    Immediate,
}

impl DeliveryGuarantee {
    /// The guarantee in the words of the documentation.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExactlyOnce => "exactly once",
            Self::AtLeastOnce => "at least once",
            Self::Immediate => "immediate",
        }
    }
}

/// Which run of a job writes: a job that goes on after a failure has the same name and a higher incarnation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobRun {
    /// The job's name.
    pub job: Arc<str>,
    /// How many times it was started, claimed in the checkpoint store so that no two runs have the same; 0 for a job that
    /// keeps no checkpoints.
    pub incarnation: u64,
}

impl JobRun {
    /// A run of a job that keeps no checkpoints.
    #[must_use]
    pub fn without_checkpoints(job: &str) -> Self {
        Self { job: job.into(), incarnation: 0 }
    }
}

/// What a writer prepared for one epoch: staged, durable and invisible until it is committed.
///
/// It holds all that `commit`, `lookup` and `abort` need, so that another process can finish the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committable {
    /// The run that wrote it.
    pub run: JobRun,
    /// The sink's node.
    pub sink: NodeName,
    /// Index of the subtask that wrote it.
    pub subtask: u32,
    /// The epoch that it belongs to.
    pub epoch: Epoch,
    /// The connector's own token, versioned by the connector.
    pub token: Bytes,
}

/// What the outside system says of a committable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitStatus {
    /// It is visible.
    Committed,
    /// It is not, and may still be committed or aborted.
    NotCommitted,
    /// The system cannot tell at present: ask again, and do nothing else meanwhile.
    Unknown,
}

/// What a sink shows that is later than an epoch: the answer of [`Sink::shows_beyond`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShownBeyond {
    /// The sink cannot tell.
    Unknown,
    /// Nothing.
    Nothing,
    /// Output of epochs up to this one.
    UpTo(Epoch),
}

/// What a writer is told at its creation.
#[derive(Debug, Clone)]
pub struct SinkContext {
    /// The sink's node.
    pub node: NodeName,
    /// Which of the sink's writers this is.
    pub subtask: SubtaskId,
    /// The run that the writer belongs to.
    pub run: JobRun,
    /// Whether the job goes on from a checkpoint, so that output of earlier runs belongs to it.
    pub is_restored: bool,
    /// The schema of every batch that will be written.
    pub input: SchemaRef,
    /// The host's time.
    pub clock: Arc<dyn Clock>,
}

impl SinkContext {
    /// The only writer of a sink, in a job that keeps no checkpoints.
    #[must_use]
    pub fn single(node: NodeName, input: SchemaRef, clock: Arc<dyn Clock>) -> Self {
        let run = JobRun::without_checkpoints(node.as_str());
        Self { node, subtask: SubtaskId::SINGLE, run, is_restored: false, input, clock }
    }

    /// What this writer prepared for an epoch, under a token of the connector.
    #[must_use]
    pub fn committable(&self, epoch: Epoch, token: Bytes) -> Committable {
        let (run, sink) = (self.run.clone(), self.node.clone());
        Committable { run, sink, subtask: self.subtask.index, epoch, token }
    }
}

/// An outside system that rows go to.
#[async_trait]
pub trait Sink: Send + Sync + fmt::Debug {
    /// What it is, in a few words, for drawings of the plan: `file out/ (parquet)`.
    fn label(&self) -> String;

    /// What it promises.
    fn guarantee(&self) -> DeliveryGuarantee;

    /// What it writes to, in a form that is equal for two sinks that would overwrite each other's output: an absolute
    /// path, a table's address. A plan with two sinks of one target is refused. Default: none, which is equal to
    /// nothing.
    fn target(&self) -> Option<String> {
        None
    }

    /// Whether all output of a job has to be prepared at once, at its end, as for a single file. Such a sink cannot be part
    /// of a job that takes checkpoints. Default: false.
    fn is_single_epoch(&self) -> bool {
        false
    }

    /// The most writers that it can have: 1 for a single file or a pipe. Default: no limit.
    fn parallelism_max(&self) -> Option<u32> {
        None
    }

    /// Checks that rows of this schema can be written, before anything starts. Pure.
    ///
    /// # Errors
    /// When the format has no place for a column's type.
    fn check(&self, input: &SchemaRef) -> Result<()>;

    /// Makes the writer of one subtask. Nothing becomes visible by it.
    ///
    /// # Errors
    /// When the place cannot be written to.
    async fn open(&self, context: SinkContext) -> Result<Box<dyn SinkWriter>>;

    /// Makes what was prepared visible. Idempotent: committing again what is committed succeeds.
    ///
    /// # Errors
    /// When the outcome is unknown ([`crate::Error::is_retryable`]) or refused for good. After a retryable error only
    /// [`Sink::lookup`] may be called for this committable.
    async fn commit(&self, committable: &Committable) -> Result<()>;

    /// Whether what was prepared is visible. `Committed` is durable: nobody commits it again.
    ///
    /// # Errors
    /// When the outside system cannot be asked ([`crate::Error::is_retryable`]), or has neither the rows nor what was staged:
    /// then it was aborted, cleaned up or taken away. [`CommitStatus::Unknown`] is an answer, not an error.
    async fn lookup(&self, committable: &Committable) -> Result<CommitStatus>;

    /// Whether any of what was prepared is visible, or may be: a commit that was cut short shows some of it. Default: unless
    /// [`Sink::lookup`] says that nothing is committed.
    ///
    /// # Errors
    /// As [`Sink::lookup`].
    async fn shows(&self, committable: &Committable) -> Result<bool> {
        Ok(self.lookup(committable).await? != CommitStatus::NotCommitted)
    }

    /// Whether anything is visible that runs of a job, from `since` on, have prepared in `sink` for epochs above `epoch`: a
    /// start asks when it finds no later checkpoint, for one whose manifest is gone cannot be asked for its tokens. Part of an
    /// epoch is enough. Output of other jobs, other sinks and earlier runs is none of it. Default: the sink cannot tell.
    ///
    /// # Errors
    /// When the outside system cannot be asked.
    async fn shows_beyond(&self, since: &JobRun, sink: &NodeName, epoch: Epoch) -> Result<ShownBeyond> {
        let _ = (since, sink, epoch);
        Ok(ShownBeyond::Unknown)
    }

    /// Throws away what was prepared. Idempotent; must not be called after a commit.
    ///
    /// # Errors
    /// When the outside system cannot be reached; what was staged stays invisible all the same. When it is visible already, in
    /// part or as a whole: it stays so.
    async fn abort(&self, committable: &Committable) -> Result<()>;

    /// Throws away what runs of this job before `run` staged in `sink` and nobody will ask for any more: all but `kept`.
    /// Called once, when a job goes on after a failure and before its writers are opened. Default: nothing is left behind.
    ///
    /// # Errors
    /// When the outside system cannot be reached.
    async fn clean_up(&self, run: &JobRun, sink: &NodeName, kept: &[Committable]) -> Result<()> {
        let _ = (run, sink, kept);
        Ok(())
    }
}

/// Writes the rows of one subtask.
///
/// Dropping a writer throws away what it wrote since the last [`SinkWriter::prepare`], as far as that can be done
/// without waiting.
#[async_trait]
pub trait SinkWriter: Send {
    /// Takes rows. They may be buffered, within a bound that the connector documents.
    ///
    /// # Errors
    /// When the rows cannot be written; the writer is not used again.
    async fn write(&mut self, batch: RecordBatch) -> Result<()>;

    /// Ends an epoch: stages durably whatever was written since the last call. `None` when there is nothing to commit.
    /// The writer goes on with the next epoch afterwards.
    ///
    /// # Errors
    /// When staging fails; nothing of the epoch is visible then.
    async fn prepare(&mut self, epoch: Epoch) -> Result<Option<Committable>>;
}
