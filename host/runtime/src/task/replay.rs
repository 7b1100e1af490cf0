//! The end of a replay: operators come to where a checkpoint knew them.

use arrow::array::RecordBatch;
use async_trait::async_trait;
use volley_api::{Committable, Epoch, Result, SinkWriter, Watermark};

/// What is known of a node at the checkpoint that a replay ends at.
///
/// While rows are replayed nothing is told of event time, since how far it had come behind each row is not known any more:
/// no row is late then, and every window that has fired since fires at the end, unseen. So only plans are replayed in which
/// nothing depends on that: [`PhysicalPlan::not_replayed`](crate::PhysicalPlan::not_replayed).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It was at work, and event time had come that far.
    Alive(Option<Watermark>),
    /// It had done its work, so that the checkpoint knows nothing of it.
    Over,
}

/// Takes what a replay puts out, which is visible already.
#[derive(Debug)]
pub(crate) struct Muted;

#[async_trait]
impl SinkWriter for Muted {
    async fn write(&mut self, _: RecordBatch) -> Result<()> {
        Ok(())
    }

    async fn prepare(&mut self, _: Epoch) -> Result<Option<Committable>> {
        Ok(None)
    }
}
