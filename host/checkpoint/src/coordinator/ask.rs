//! What others ask of a running job: a checkpoint, a savepoint, an end.

use tokio::sync::{mpsc, oneshot, watch};
use volley_api::{Epoch, Error, Result};

use super::CheckpointProgress;
use super::listener::Heard;
use crate::store::{ExportReport, Location};

/// A savepoint that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavepointReport {
    /// The epoch that it holds.
    pub epoch: Epoch,
    /// What was copied.
    pub copied: ExportReport,
}

pub(super) type Reply = oneshot::Sender<Result<SavepointReport>>;

/// What is asked.
#[derive(Debug)]
pub(super) enum Asked {
    Checkpoint,
    Savepoint { target: Location, reply: Reply },
    Stop { drain: bool },
}

/// Asks a coordinator, from any task. Clones ask the same one.
#[derive(Debug, Clone)]
pub struct Asker {
    say: mpsc::UnboundedSender<Heard>,
    progress: watch::Receiver<CheckpointProgress>,
}

impl Asker {
    pub(super) fn new(say: mpsc::UnboundedSender<Heard>, progress: watch::Receiver<CheckpointProgress>) -> Self {
        Self { say, progress }
    }

    /// How checkpoints have gone so far.
    #[must_use]
    pub fn progress(&self) -> CheckpointProgress {
        self.progress.borrow().clone()
    }

    /// Asks for a checkpoint now.
    pub fn checkpoint(&self) {
        self.ask(Asked::Checkpoint);
    }

    /// Asks the job to end: with `drain` its sources end, everything is finished, and so is the job; without, after one
    /// last checkpoint, from which it can go on.
    pub fn stop(&self, drain: bool) {
        self.ask(Asked::Stop { drain });
    }

    /// Takes a checkpoint and, once its output is committed, copies it, whole, to an empty place.
    ///
    /// # Errors
    /// When output waits too long to be committed ([`super::CoordinatorOptions::savepoint_within`]), the job ends before, or
    /// the copy fails.
    pub async fn savepoint(&self, target: Location) -> Result<SavepointReport> {
        let (reply, answer) = oneshot::channel();
        self.ask(Asked::Savepoint { target, reply });
        answer.await.unwrap_or_else(|_| Err(Error::external("the job ended before the savepoint was taken")))
    }

    fn ask(&self, asked: Asked) {
        drop(self.say.send(Heard::Asked(asked)));
    }
}
