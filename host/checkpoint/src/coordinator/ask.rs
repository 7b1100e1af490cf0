//! What others ask of a running job: a checkpoint, a savepoint, an end.

use tokio::sync::{mpsc, oneshot, watch};
use volley_api::{Epoch, Error, Result};

use super::CheckpointProgress;
use super::listener::Heard;
use crate::store::{ExportReport, Location};

/// The most savepoints that may be asked for at a time.
const SAVEPOINTS_MAX: usize = 8;

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

    /// Takes a checkpoint and copies it, whole, to an empty place.
    ///
    /// # Errors
    /// When the job ends before, or the copy fails.
    pub async fn savepoint(&self, target: Location) -> Result<SavepointReport> {
        let (reply, answer) = oneshot::channel();
        self.ask(Asked::Savepoint { target, reply });
        answer.await.unwrap_or_else(|_| Err(Error::external("the job ended before the savepoint was taken")))
    }

    fn ask(&self, asked: Asked) {
        drop(self.say.send(Heard::Asked(asked)));
    }
}

/// Savepoints that wait for their epoch.
#[derive(Debug, Default)]
pub(super) struct Savepoints(Vec<(Epoch, Location, Reply)>);

impl Savepoints {
    /// One is wanted of an epoch from this one on.
    pub(super) fn wait(&mut self, from: Epoch, target: Location, reply: Reply) {
        if self.0.len() < SAVEPOINTS_MAX {
            self.0.push((from, target, reply));
        } else {
            let message = format!("{SAVEPOINTS_MAX} savepoints are under way already: ask again later");
            drop(reply.send(Err(Error::external(message))));
        }
    }

    /// Those for which an epoch will do that is complete now.
    pub(super) fn due(&mut self, epoch: Epoch) -> Vec<(Location, Reply)> {
        self.0.extract_if(.., |(from, ..)| *from <= epoch).map(|(_, target, reply)| (target, reply)).collect()
    }
}
