//! A writer's task: takes rows from its channel, writes them, and prepares what it wrote at the end of each epoch.

use std::sync::Arc;

use volley_api::{CheckpointBarrier, Committable, Epoch, SinkWriter, TaskPart};

use super::outlet::WriterMessage;
use super::report::Reporter;
use super::{Stopped, hit};
use crate::channel::Receiver;
use crate::metrics::NodeMetrics;

/// One of the writers of a sink.
pub(crate) struct WriterTask {
    pub(crate) writer: Box<dyn SinkWriter>,
    pub(crate) receiver: Receiver<WriterMessage>,
    /// How many lanes feed it.
    pub(crate) producers: usize,
    pub(crate) metrics: Arc<NodeMetrics>,
    /// The epoch that comes next: it ends with a barrier, or with the input.
    pub(crate) epoch: Epoch,
    /// Its part in checkpoints.
    pub(crate) reporter: Reporter,
}

impl WriterTask {
    /// Writes until every producer has ended. When a producer goes away without ending, the job is breaking off: the
    /// writer is dropped, and what it staged with it.
    ///
    /// Gives what the end of the input completed, unless that was reported.
    pub(crate) async fn run(mut self) -> Result<Option<Committable>, Stopped> {
        // The barrier that has come from some lanes and not from others, and from how many.
        let mut aligning: Option<(CheckpointBarrier, usize)> = None;
        while self.producers > 0 {
            match self.receiver.recv().await {
                Some((_, WriterMessage::Rows(batch))) => {
                    let rows = batch.num_rows();
                    self.writer.write(batch).await?;
                    NodeMetrics::add(&self.metrics.rows_in, rows);
                }
                // What is behind a barrier belongs to the next epoch and waits until all have come so far.
                Some((lane, WriterMessage::Barrier(barrier))) => {
                    aligning.get_or_insert((barrier, 0)).1 += 1;
                    self.receiver.hold(lane);
                }
                Some((_, WriterMessage::End)) => self.producers -= 1,
                None => return Err(Stopped::Cancelled),
            }
            if let Some((barrier, arrived)) = aligning
                && arrived >= self.producers
            {
                aligning = None;
                self.pass(barrier.epoch).await?;
                self.receiver.release_all();
            }
        }
        hit("prepare-before")?;
        let prepared = self.writer.prepare(self.epoch).await?;
        hit("prepare-after")?;
        if !self.reporter.is_heard() {
            return Ok(prepared);
        }
        self.reporter.finished(prepared.map(TaskPart::Output).into_iter().collect());
        hit("writer-finished")?;
        Ok(None)
    }

    /// Ends an epoch. A job that takes no checkpoints prepares nothing before its end.
    async fn pass(&mut self, epoch: Epoch) -> Result<(), Stopped> {
        if self.reporter.is_heard() {
            hit("prepare-before")?;
            let prepared = self.writer.prepare(epoch).await?;
            hit("prepare-after")?;
            self.reporter.passed(epoch, prepared.map(TaskPart::Output).into_iter().collect());
            self.epoch = Epoch(epoch.0 + 1);
            hit("writer-passed")?;
        }
        Ok(())
    }
}
