//! A reader's part in a replay: every split is read exactly to where a checkpoint left it, and one barrier ends it.

use std::cmp::Ordering;
use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use volley_api::{
    CheckpointBarrier, Committable, Error, JobState, ReadEvent, ReadOptions, SourceBatch, Split, SplitOffset,
    SplitPosition,
};

use super::gathered::Gathered;
use super::{OpenSplit, ReaderTask};
use crate::task::{SplitStatus, Stopped};

/// What is replayed was there once. A split that gives none of it for so long does not have it any more.
const IDLE_MAX: Duration = Duration::from_secs(60);

const ONE_ROW: ReadOptions = ReadOptions { batch_rows_max: NonZeroUsize::MIN };

impl ReaderTask {
    /// Reads every split that was begun to where it stands in `until`, sends the barrier, and waits to be broken off: what
    /// comes next is read by the job that goes on from there.
    pub(crate) async fn replay(
        mut self,
        barrier: CheckpointBarrier,
        until: &JobState,
    ) -> Result<Option<Committable>, Stopped> {
        let mut turn = 0;
        while let Some(split) = self.splits.pop_front() {
            let target = until.splits.get(&self.node).and_then(|splits| splits.get(&split.id));
            if let Some(target) = target {
                self.replay_split(&split, &target.position, &mut turn).await?;
            }
        }
        self.epochs.pass(barrier, &self.subtasks).await?;
        let never: Infallible = std::future::pending().await;
        match never {}
    }

    async fn replay_split(&mut self, split: &Split, target: &SplitPosition, turn: &mut usize) -> Result<(), Stopped> {
        let from = match self.epochs.position(&split.id) {
            Some(SplitPosition::Ended) => return Ok(()),
            Some(SplitPosition::At(offset)) => Some(offset.clone()),
            None => None,
        };
        let Some(mut open) = self.open(split).await? else { return Err(Stopped::Cancelled) };
        self.tell_split(open.numbers.1, SplitStatus::Opened(split.id.clone())).await?;
        let ended = match target {
            SplitPosition::Ended => self.replay_to_the_end(&mut open, turn).await?,
            SplitPosition::At(offset) => self.replay_to(split, &mut open, from, offset, turn).await?,
        };
        if ended {
            self.epochs.ended(open.place);
            self.tell_split(open.numbers.1, SplitStatus::Ended).await?;
        } else if let SplitPosition::At(offset) = target {
            // The same place in the checkpoint's own words, which also say what of the refused has been told.
            self.epochs.stands(open.place, offset.clone());
        }
        Ok(())
    }

    async fn replay_to_the_end(&mut self, open: &mut OpenSplit, turn: &mut usize) -> Result<bool, Stopped> {
        while let Some(batch) = self.next_of(open).await? {
            self.replayed(open, batch, turn).await?;
        }
        Ok(true)
    }

    /// Reads on to an offset: in large batches where the source can tell that they do not go beyond it, row by row otherwise.
    async fn replay_to(
        &mut self,
        split: &Split,
        open: &mut OpenSplit,
        mut stands: Option<SplitOffset>,
        target: &SplitOffset,
        turn: &mut usize,
    ) -> Result<bool, Stopped> {
        let mut by_row = false;
        while !self.is_at(&open.reader.offset(), target) {
            let batch = match self.next_of(open).await? {
                Some(batch) => batch,
                None => return Err(self.missed_target(split, "it ends before").into()),
            };
            let reached = open.reader.offset();
            match self.source.compare(&reached, target) {
                Some(Ordering::Less | Ordering::Equal) => {}
                Some(Ordering::Greater) if by_row => {
                    return Err(self.missed_target(split, "a row goes beyond it").into());
                }
                None if by_row => {}
                Some(Ordering::Greater) | None => {
                    // The batch is not sent on: it is read again, row by row.
                    open.reader = self.source.open(split, stands.as_ref(), ONE_ROW).await?;
                    by_row = true;
                    continue;
                }
            }
            self.replayed(open, batch, turn).await?;
            stands = Some(reached);
        }
        Ok(false)
    }

    /// Whether two offsets are one place. Some sources have several for one.
    fn is_at(&self, offset: &SplitOffset, target: &SplitOffset) -> bool {
        offset == target || self.source.compare(offset, target) == Some(Ordering::Equal)
    }

    /// The next rows of a split; `None` at its end.
    async fn next_of(&self, open: &mut OpenSplit) -> Result<Option<SourceBatch>, Stopped> {
        let began = Instant::now();
        loop {
            match open.reader.next().await? {
                ReadEvent::Batch(batch) => return Ok(Some(batch)),
                ReadEvent::End => return Ok(None),
                ReadEvent::Idle(_) if began.elapsed() > IDLE_MAX => {
                    return Err(Error::external(format!(
                        "split {} of `{}` has given nothing for {} s of what it had before the checkpoint",
                        open.id,
                        self.node,
                        IDLE_MAX.as_secs()
                    ))
                    .into());
                }
                ReadEvent::Idle(wake_after) => tokio::time::sleep(wake_after).await,
            }
        }
    }

    async fn replayed(&mut self, open: &mut OpenSplit, batch: SourceBatch, turn: &mut usize) -> Result<(), Stopped> {
        let mut gathered = Gathered::new(1);
        gathered.push(batch);
        self.forward(&open.id, open.numbers, &mut gathered, *turn).await?;
        *turn = turn.wrapping_add(1);
        Ok(())
    }

    fn missed_target(&self, split: &Split, why: &str) -> Error {
        Error::external(format!(
            "split {} of `{}` does not come by the place where the checkpoint left it ({why}): it is not what was read then",
            split.id, self.node
        ))
    }
}
