//! A sink that counts rows and lets them go.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use volley_api::{CommitStatus, Committable, DeliveryGuarantee, Epoch, Sink, SinkContext, SinkWriter};

/// Counts rows as they arrive and keeps none: for benches, and for pipelines that are run for their side outputs. Its
/// name in a pipeline file is `discard`.
///
/// There is nothing to commit; rows that are written again after a restart are counted again.
#[derive(Debug, Clone, Default)]
pub struct DiscardSink {
    rows: Arc<AtomicU64>,
}

/// Sees how many rows a [`DiscardSink`] has been given. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DiscardHandle {
    rows: Arc<AtomicU64>,
}

impl DiscardSink {
    /// A sink that has counted nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A handle that sees the count, now and later.
    #[must_use]
    pub fn handle(&self) -> DiscardHandle {
        DiscardHandle { rows: Arc::clone(&self.rows) }
    }
}

impl DiscardHandle {
    /// How many rows have been written.
    #[must_use]
    pub fn num_rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Sink for DiscardSink {
    fn label(&self) -> String {
        "discard".into()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::Immediate
    }

    fn check(&self, _input: &SchemaRef) -> volley_api::Result<()> {
        Ok(())
    }

    async fn open(&self, _context: SinkContext) -> volley_api::Result<Box<dyn SinkWriter>> {
        Ok(Box::new(Writer { rows: Arc::clone(&self.rows) }))
    }

    async fn commit(&self, _committable: &Committable) -> volley_api::Result<()> {
        Ok(())
    }

    async fn lookup(&self, _committable: &Committable) -> volley_api::Result<CommitStatus> {
        Ok(CommitStatus::Committed)
    }

    async fn abort(&self, _committable: &Committable) -> volley_api::Result<()> {
        Ok(())
    }
}

struct Writer {
    rows: Arc<AtomicU64>,
}

#[async_trait]
impl SinkWriter for Writer {
    async fn write(&mut self, batch: RecordBatch) -> volley_api::Result<()> {
        self.rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        Ok(())
    }

    async fn prepare(&mut self, _epoch: Epoch) -> volley_api::Result<Option<Committable>> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array};
    use volley_api::{NodeName, SubtaskId, SystemClock};

    #[tokio::test]
    async fn it_counts_the_rows_of_all_writers() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
        let sink = DiscardSink::new();
        volley_test_contract::assert_sink_documented("`discard`", &sink);
        for index in 0..2 {
            let single = SinkContext::single(NodeName::new("out").unwrap(), batch.schema(), Arc::new(SystemClock));
            let context = SinkContext { subtask: SubtaskId { index, parallelism: 2 }, ..single };
            let mut writer = sink.open(context).await.unwrap();
            writer.write(batch.clone()).await.unwrap();
            assert_eq!(writer.prepare(Epoch(1)).await.unwrap(), None);
        }
        assert_eq!(sink.handle().num_rows(), 6);
    }
}
