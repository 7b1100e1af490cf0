//! A writer's task: takes rows from its channel, writes them, and prepares what it wrote at the end.

use std::sync::Arc;

use volley_api::{Committable, Epoch, SinkWriter};

use super::Stopped;
use super::outlet::WriterMessage;
use crate::channel::Receiver;
use crate::metrics::NodeMetrics;

/// One of the writers of a sink.
pub(crate) struct WriterTask {
    pub(crate) writer: Box<dyn SinkWriter>,
    pub(crate) receiver: Receiver<WriterMessage>,
    /// How many lanes feed it.
    pub(crate) producers: usize,
    pub(crate) metrics: Arc<NodeMetrics>,
    /// The epoch that the end of the input completes.
    pub(crate) epoch: Epoch,
}

impl WriterTask {
    /// Writes until every producer has ended, then prepares. When a producer goes away without ending, the job is
    /// breaking off: the writer is dropped, and what it staged with it.
    pub(crate) async fn run(mut self) -> Result<Option<Committable>, Stopped> {
        // From how many lanes the present barrier has come.
        let mut arrived = 0;
        while self.producers > 0 {
            match self.receiver.recv().await {
                Some((_, WriterMessage::Rows(batch))) => {
                    let rows = batch.num_rows();
                    self.writer.write(batch).await?;
                    NodeMetrics::add(&self.metrics.rows_in, rows);
                }
                // What is behind a barrier belongs to the next epoch and waits until all have come so far. A job that
                // keeps no checkpoints prepares nothing here.
                Some((lane, WriterMessage::Barrier)) => {
                    arrived += 1;
                    self.receiver.hold(lane);
                }
                Some((_, WriterMessage::End)) => self.producers -= 1,
                None => return Err(Stopped::Cancelled),
            }
            if arrived >= self.producers {
                arrived = 0;
                self.receiver.release_all();
            }
        }
        Ok(self.writer.prepare(self.epoch).await?)
    }
}
