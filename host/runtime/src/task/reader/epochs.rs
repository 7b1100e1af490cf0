//! A reader's part in checkpoints: it sends barriers on, and says how far its splits were read before them.

use std::collections::BTreeMap;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use volley_api::{CheckpointBarrier, NodeName, SplitId, SplitOffset, SplitPosition, TaskPart};

use crate::channel::Sender;
use crate::task::report::Reporter;
use crate::task::{Message, Stopped, hit};
use crate::time::Control;

/// What is known of a reader's splits, as of the rows that it has sent on.
pub(crate) struct Epochs {
    node: NodeName,
    reporter: Reporter,
    barriers: broadcast::Receiver<CheckpointBarrier>,
    /// Nobody can ask for barriers any more.
    is_closed: bool,
    /// Splits that are not open: ended, or not opened yet and begun before the job was restored.
    positions: BTreeMap<SplitId, SplitPosition>,
    /// Splits that are open, by the place they were given.
    open: Vec<Option<(SplitId, SplitOffset)>>,
}

impl Epochs {
    pub(crate) fn new(
        node: NodeName,
        reporter: Reporter,
        barriers: broadcast::Receiver<CheckpointBarrier>,
        restored: BTreeMap<SplitId, SplitPosition>,
    ) -> Self {
        Self { node, reporter, barriers, is_closed: false, positions: restored, open: Vec::new() }
    }

    /// Whether offsets have to be remembered.
    pub(super) fn is_heard(&self) -> bool {
        self.reporter.is_heard()
    }

    /// Where a split was read to before the job was restored.
    pub(super) fn position(&self, split: &SplitId) -> Option<&SplitPosition> {
        self.positions.get(split)
    }

    /// A split was opened and stands there. Gives the place by which it is known until it ends.
    pub(super) fn opened(&mut self, split: &SplitId, offset: SplitOffset) -> usize {
        self.positions.remove(split);
        let place = self.open.iter().position(Option::is_none).unwrap_or_else(|| {
            self.open.push(None);
            self.open.len() - 1
        });
        self.open[place] = Some((split.clone(), offset));
        place
    }

    /// Every row before `offset` has been sent on, or will be before the next barrier.
    pub(super) fn stands(&mut self, place: usize, offset: SplitOffset) {
        if let Some((_, standing)) = &mut self.open[place] {
            *standing = offset;
        }
    }

    /// A split has ended, and all its rows have been sent on.
    pub(super) fn ended(&mut self, place: usize) {
        if let Some((split, _)) = self.open[place].take() {
            self.positions.insert(split, SplitPosition::Ended);
        }
    }

    /// The next barrier, as soon as one is asked for. Cancel safe.
    pub(super) async fn next(&mut self) -> Result<CheckpointBarrier, Stopped> {
        if self.is_closed {
            return std::future::pending().await;
        }
        match self.barriers.recv().await {
            Ok(barrier) => Ok(barrier),
            Err(RecvError::Lagged(missed)) => Err(self.missed(missed)),
            Err(RecvError::Closed) => {
                self.is_closed = true;
                std::future::pending().await
            }
        }
    }

    /// The next barrier that was asked for already.
    pub(super) fn asked(&mut self) -> Result<Option<CheckpointBarrier>, Stopped> {
        match self.barriers.try_recv() {
            Ok(barrier) => Ok(Some(barrier)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => Ok(None),
            Err(TryRecvError::Lagged(missed)) => Err(self.missed(missed)),
        }
    }

    fn missed(&self, missed: u64) -> Stopped {
        let message = format!("`{}` missed {missed} barriers: they were asked for too fast", self.node);
        volley_api::Error::internal(message).into()
    }

    /// Sends a barrier to every subtask, and reports what is before it.
    pub(super) async fn pass(&self, barrier: CheckpointBarrier, subtasks: &[Sender<Message>]) -> Result<(), Stopped> {
        hit("reader-before-barrier")?;
        for subtask in subtasks {
            subtask.send(Message::Control(Control::Barrier(barrier)), 0).await?;
        }
        hit("reader-after-barrier")?;
        if self.is_heard() {
            self.reporter.passed(barrier.epoch, self.parts());
            hit("reader-passed")?;
        }
        Ok(())
    }

    /// Reports that the reader has done its work.
    pub(super) fn finished(&self) {
        if self.is_heard() {
            self.reporter.finished(self.parts());
        }
    }

    fn parts(&self) -> Vec<TaskPart> {
        let open = self.open.iter().flatten().map(|(split, offset)| (split, SplitPosition::At(offset.clone())));
        let others = self.positions.iter().map(|(split, position)| (split, position.clone()));
        let part = |(split, position): (&SplitId, SplitPosition)| TaskPart::Split {
            source: self.node.clone(),
            split: split.clone(),
            position,
        };
        open.chain(others).map(part).collect()
    }
}
