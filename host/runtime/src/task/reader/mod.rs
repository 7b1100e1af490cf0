//! A reader's task: polls the splits dealt to it and feeds the subtasks of its chain.

mod epochs;
mod gathered;
mod idle;
mod replay;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use volley_api::{
    Boundedness, CheckpointBarrier, NodeName, OriginDirectory, ReadEvent, ReadOptions, Source, SourceBatch, Split,
    SplitId, SplitPosition, SplitReader,
};

use super::{Message, Polled, SplitStatus, Stopped};
use crate::Error;
use crate::channel::Sender;
use crate::metrics::NodeMetrics;
pub(crate) use epochs::Epochs;
use gathered::Gathered;
pub(crate) use idle::Blocked;
use idle::Idle;

/// One of the tasks that read a source.
pub(crate) struct ReaderTask {
    pub(crate) node: NodeName,
    pub(crate) source: Arc<dyn Source>,
    /// The splits dealt to it.
    pub(crate) splits: VecDeque<Split>,
    pub(crate) options: ReadOptions,
    pub(crate) origins: OriginDirectory,
    pub(crate) metrics: Arc<NodeMetrics>,
    /// The subtasks that it feeds, in turn.
    pub(crate) subtasks: Vec<Sender<Message>>,
    /// The most rows of small batches that are sent on as one.
    pub(crate) gather_rows_max: usize,
    /// After how long without rows a split is no longer waited for.
    pub(crate) idle_after: Option<Duration>,
    /// How long it has waited for room in the channels behind it.
    pub(crate) blocked: Blocked,
    /// Its part in checkpoints.
    pub(crate) epochs: Epochs,
    /// While true, nothing is read.
    pub(crate) paused: watch::Receiver<bool>,
    /// Turns true when the job should end cleanly.
    pub(crate) draining: watch::Receiver<bool>,
    /// Set when the job drains before a bounded source has ended.
    pub(crate) bounded_left: Arc<AtomicBool>,
}

struct OpenSplit {
    id: SplitId,
    reader: Box<dyn SplitReader>,
    numbers: (u16, u32),
    /// How [`Epochs`] knows it.
    place: usize,
    idle: Idle,
    /// What it gave after rows that went before it.
    given: Option<ReadEvent>,
}

impl ReaderTask {
    /// Reads to the end of all splits, or until the job drains.
    pub(crate) async fn run(mut self) -> Result<(), Stopped> {
        let ended = self.read().await?;
        if !ended && self.source.boundedness() == Boundedness::Bounded {
            self.bounded_left.store(true, Ordering::Relaxed);
        }
        self.tell(|| Message::End).await?;
        self.epochs.finished();
        Ok(())
    }

    /// Sends a message to every subtask.
    async fn tell(&mut self, message: impl Fn() -> Message) -> Result<(), Stopped> {
        let began = Instant::now();
        for subtask in &self.subtasks {
            subtask.send(message(), 0).await?;
        }
        self.blocked.add(began.elapsed());
        Ok(())
    }

    async fn tell_split(&mut self, split_number: u32, status: SplitStatus) -> Result<(), Stopped> {
        self.tell(|| Message::Split(split_number, status.clone())).await
    }

    /// Sends the barriers that were asked for since the last time, in their order.
    async fn pass_barriers(&mut self) -> Result<(), Stopped> {
        while let Some(barrier) = self.epochs.asked()? {
            self.pass(barrier).await?;
        }
        Ok(())
    }

    async fn pass(&mut self, barrier: CheckpointBarrier) -> Result<(), Stopped> {
        let began = Instant::now();
        self.epochs.pass(barrier, &self.subtasks).await?;
        self.blocked.add(began.elapsed());
        Ok(())
    }

    /// Waits for something, and sends barriers on meanwhile; `None` when the job drains first, which gives it up.
    async fn unless_draining<F: Future>(&mut self, mut wait: Pin<&mut F>) -> Result<Option<F::Output>, Stopped> {
        loop {
            let barrier = tokio::select! {
                biased;
                // The sender lives as long as the job; should it go first, the job is over too.
                _ = self.draining.wait_for(|draining| *draining) => return Ok(None),
                done = wait.as_mut() => return Ok(Some(done)),
                barrier = self.epochs.next() => barrier?,
            };
            self.pass(barrier).await?;
        }
    }

    /// Waits while the job is paused; false when it drains.
    async fn unless_paused(&mut self) -> Result<bool, Stopped> {
        if !*self.paused.borrow() {
            return Ok(true);
        }
        let mut paused = self.paused.clone();
        // An error means that nobody can resume the job any more, nor wants to.
        let resumed = std::pin::pin!(async move { drop(paused.wait_for(|paused| !*paused).await) });
        Ok(self.unless_draining(resumed).await?.is_some())
    }

    /// Whether all splits ended; false when the job drained first.
    async fn read(&mut self) -> Result<bool, Stopped> {
        // Splits that end are read one after another; splits that never end must take turns.
        let open_max = match self.source.boundedness() {
            Boundedness::Bounded => 1,
            Boundedness::Unbounded => self.splits.len(),
        };
        let mut open: VecDeque<OpenSplit> = VecDeque::new();
        let mut turn = 0;
        let mut idle_in_a_row = 0;
        let mut shortest_idle = Duration::MAX;
        loop {
            while open.len() < open_max
                && let Some(split) = self.splits.pop_front()
            {
                if self.epochs.position(&split.id) == Some(&SplitPosition::Ended) {
                    continue;
                }
                let Some(opened) = self.open(&split).await? else { return Ok(false) };
                self.tell_split(opened.numbers.1, SplitStatus::Opened(split.id)).await?;
                open.push_back(opened);
            }
            self.pass_barriers().await?;
            if *self.paused.borrow() {
                // Idle is a split that is polled and has nothing; none is polled now.
                open.iter_mut().for_each(|split| split.idle.rests());
            }
            if !self.unless_paused().await? {
                return Ok(false);
            }
            let Some(mut split) = open.pop_front() else { return Ok(true) };
            // Only the wait for rows is given up when the job drains: rows that have been read are always sent on.
            let event = match split.given.take() {
                Some(event) => event,
                None => {
                    self.stand(&split);
                    match self.unless_draining(std::pin::pin!(split.reader.next())).await? {
                        Some(event) => event?,
                        None => return Ok(false),
                    }
                }
            };
            match event {
                ReadEvent::Batch(batch) => {
                    (idle_in_a_row, shortest_idle) = (0, Duration::MAX);
                    split.idle.ends();
                    match self.gather(&mut split, batch, turn).await? {
                        Read::On(next) => split.given = next,
                        Read::Draining => return Ok(false),
                    }
                    turn = turn.wrapping_add(1);
                    open.push_back(split);
                }
                ReadEvent::Idle(wake_after) => {
                    idle_in_a_row += 1;
                    shortest_idle = shortest_idle.min(wake_after);
                    if split.idle.polled(Instant::now(), self.blocked, self.idle_after) {
                        self.tell_split(split.numbers.1, SplitStatus::Idle).await?;
                    }
                    open.push_back(split);
                    if idle_in_a_row >= open.len() {
                        let pause = std::pin::pin!(tokio::time::sleep(shortest_idle));
                        if self.unless_draining(pause).await?.is_none() {
                            return Ok(false);
                        }
                        (idle_in_a_row, shortest_idle) = (0, Duration::MAX);
                    }
                }
                ReadEvent::End => {
                    self.epochs.ended(split.place);
                    self.tell_split(split.numbers.1, SplitStatus::Ended).await?;
                }
            }
        }
    }

    /// Remembers where a split stands before it is read on: what it gives may not have been sent when a barrier comes.
    fn stand(&mut self, split: &OpenSplit) {
        if self.epochs.is_heard() {
            self.epochs.stands(split.place, split.reader.offset());
        }
    }

    /// Sends a batch on, together with those that the split gives at once after it, where they are small. Nothing waits for
    /// rows that are not there yet.
    async fn gather(&mut self, split: &mut OpenSplit, first: SourceBatch, turn: usize) -> Result<Read, Stopped> {
        let mut gathered = Gathered::new(self.gather_rows_max);
        let is_small = gathered.is_small(&first);
        gathered.push(first);
        if !is_small {
            self.forward(&split.id, split.numbers, &mut gathered, turn).await?;
            self.stand(split);
            return Ok(Read::On(None));
        }
        loop {
            self.stand(split);
            let event = {
                let OpenSplit { reader, id, numbers, .. } = &mut *split;
                let mut next = std::pin::pin!(reader.next());
                match at_once(next.as_mut()).await {
                    Some(event) => event?,
                    None => {
                        self.forward(id, *numbers, &mut gathered, turn).await?;
                        // A reader that was asked is waited for: it need not stand being given up and asked again.
                        return match self.unless_draining(next).await? {
                            Some(event) => Ok(Read::On(Some(event?))),
                            None => Ok(Read::Draining),
                        };
                    }
                }
            };
            match event {
                ReadEvent::Batch(batch) if gathered.has_room(&batch) => gathered.push(batch),
                other => {
                    self.forward(&split.id, split.numbers, &mut gathered, turn).await?;
                    return Ok(Read::On(Some(other)));
                }
            }
        }
    }

    /// Opens a split where the job goes on in it; `None` when the job drains first.
    async fn open(&mut self, split: &Split) -> Result<Option<OpenSplit>, Stopped> {
        let from = match self.epochs.position(&split.id) {
            Some(SplitPosition::At(offset)) => Some(offset.clone()),
            Some(SplitPosition::Ended) | None => None,
        };
        let source = Arc::clone(&self.source);
        let opening = source.open(split, from.as_ref(), self.options);
        let Some(reader) = self.unless_draining(std::pin::pin!(opening)).await? else { return Ok(None) };
        let reader = reader?;
        let numbers = self.origins.register(&self.node, &split.id);
        let place = self.epochs.opened(&split.id, reader.offset());
        let id = split.id.clone();
        Ok(Some(OpenSplit { id, reader, numbers, place, idle: Idle::default(), given: None }))
    }

    async fn forward(
        &mut self,
        split: &SplitId,
        (source_number, split_number): (u16, u32),
        gathered: &mut Gathered,
        turn: usize,
    ) -> Result<(), Stopped> {
        let joined = gathered.take().map_err(|source| Error::Arrow { node: self.node.clone(), source });
        let Some(batch) = joined.map_err(volley_api::Error::from)? else { return Ok(()) };
        let units = usize::try_from(batch.progress_units).unwrap_or(usize::MAX);
        NodeMetrics::add(&self.metrics.progress_units, units);
        let refused: usize = batch.rejects.iter().map(|reject| reject.raw.len() + reject.message.len()).sum();
        let bytes = volley_api::memory_bytes(&batch.batch) + refused;
        let polled = Polled { batch, split: split.clone(), source_number, split_number };
        let began = Instant::now();
        self.subtasks[turn % self.subtasks.len()].send(Message::Polled(polled), bytes).await?;
        self.blocked.add(began.elapsed());
        Ok(())
    }
}

/// How reading went on.
enum Read {
    /// With this event of the split, if it gave one already.
    On(Option<ReadEvent>),
    /// The job drains.
    Draining,
}

/// What a future gives when it is polled once, if it is ready.
async fn at_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}
