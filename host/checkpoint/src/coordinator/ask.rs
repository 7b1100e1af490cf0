//! What others ask of a running job: a checkpoint, a savepoint, an end.

use std::collections::BTreeSet;

use tokio::sync::{mpsc, oneshot, watch};
use volley_api::{Epoch, Error, Result};

use super::CheckpointProgress;
use super::listener::Heard;
use crate::protocol::CommittableId;
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

    /// Takes a checkpoint and, once its output is committed, copies it, whole, to an empty place.
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

/// Savepoints that wait: for their epoch, and then for the commits of its output, so that nothing which is staged for the
/// job's own sinks is needed where they go on.
#[derive(Debug, Default)]
pub(super) struct Savepoints {
    asked: Vec<(Epoch, Location, Reply)>,
    complete: Vec<(Epoch, BTreeSet<CommittableId>, Location, Reply)>,
}

impl Savepoints {
    /// One is wanted of an epoch from this one on.
    pub(super) fn wait(&mut self, from: Epoch, target: Location, reply: Reply) {
        if self.asked.len() + self.complete.len() < SAVEPOINTS_MAX {
            self.asked.push((from, target, reply));
        } else {
            let message = format!("{SAVEPOINTS_MAX} savepoints are under way already: ask again later");
            drop(reply.send(Err(Error::external(message))));
        }
    }

    /// An epoch is complete: whether it will do for any of them. `output` is what its manifest holds.
    pub(super) fn complete(&mut self, epoch: Epoch, output: &BTreeSet<CommittableId>) -> usize {
        let due: Vec<_> = self.asked.extract_if(.., |(from, ..)| *from <= epoch).collect();
        let count = due.len();
        self.complete.extend(due.into_iter().map(|(_, target, reply)| (epoch, output.clone(), target, reply)));
        count
    }

    /// Those of which nothing is among what is `pending`.
    pub(super) fn due(&mut self, pending: impl Fn() -> BTreeSet<CommittableId>) -> Vec<(Epoch, Location, Reply)> {
        if self.complete.is_empty() {
            return Vec::new();
        }
        let pending = pending();
        let due = self.complete.extract_if(.., |(_, output, ..)| output.is_disjoint(&pending));
        due.map(|(epoch, _, target, reply)| (epoch, target, reply)).collect()
    }
}
