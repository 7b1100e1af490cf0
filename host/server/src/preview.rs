//! A sink that remembers its first rows for the table at the end of a run, and leaves all else to the sink inside.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use volley_api::{
    CommitStatus, Committable, DeliveryGuarantee, Epoch, JobRun, NodeName, Result, Sink, SinkContext, SinkWriter,
};

use crate::page;

/// The first rows that went to a sink.
#[derive(Debug, Clone)]
pub(crate) struct Preview {
    rows_max: usize,
    seen: Arc<Mutex<Vec<RecordBatch>>>,
}

impl Preview {
    /// Remembers at most `rows_max` rows.
    pub(crate) fn new(rows_max: usize) -> Self {
        Self { rows_max, seen: Arc::default() }
    }

    /// Puts itself around a sink.
    pub(crate) fn watch(&self, inner: Arc<dyn Sink>) -> Arc<dyn Sink> {
        Arc::new(PreviewSink { inner, preview: self.clone() })
    }

    /// The rows as a table that fits a page, if there were any.
    pub(crate) fn table(&self) -> Option<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = concat_batches(&seen.first()?.schema(), seen.iter()).ok()?;
        page::render(&rows).ok()
    }

    fn note(&self, batch: &RecordBatch) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let room = self.rows_max.saturating_sub(seen.iter().map(RecordBatch::num_rows).sum());
        if room > 0 {
            seen.push(batch.slice(0, room.min(batch.num_rows())));
        }
    }
}

#[derive(Debug)]
struct PreviewSink {
    inner: Arc<dyn Sink>,
    preview: Preview,
}

struct PreviewWriter {
    inner: Box<dyn SinkWriter>,
    preview: Preview,
}

#[async_trait]
impl Sink for PreviewSink {
    fn label(&self) -> String {
        self.inner.label()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        self.inner.guarantee()
    }

    fn target(&self) -> Option<String> {
        self.inner.target()
    }

    fn is_single_epoch(&self) -> bool {
        self.inner.is_single_epoch()
    }

    fn parallelism_max(&self) -> Option<u32> {
        self.inner.parallelism_max()
    }

    fn check(&self, input: &SchemaRef) -> Result<()> {
        self.inner.check(input)
    }

    async fn open(&self, context: SinkContext) -> Result<Box<dyn SinkWriter>> {
        let inner = self.inner.open(context).await?;
        Ok(Box::new(PreviewWriter { inner, preview: self.preview.clone() }))
    }

    async fn commit(&self, committable: &Committable) -> Result<()> {
        self.inner.commit(committable).await
    }

    async fn lookup(&self, committable: &Committable) -> Result<CommitStatus> {
        self.inner.lookup(committable).await
    }

    async fn abort(&self, committable: &Committable) -> Result<()> {
        self.inner.abort(committable).await
    }

    async fn clean_up(&self, run: &JobRun, sink: &NodeName, kept: &[Committable]) -> Result<()> {
        self.inner.clean_up(run, sink, kept).await
    }
}

#[async_trait]
impl SinkWriter for PreviewWriter {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.preview.note(&batch);
        self.inner.write(batch).await
    }

    async fn prepare(&mut self, epoch: Epoch) -> Result<Option<Committable>> {
        self.inner.prepare(epoch).await
    }
}
