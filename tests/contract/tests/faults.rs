//! The suites catch what they are for: each broken promise of a connector fails them.
#![allow(clippy::unwrap_used, reason = "a test helper may panic like a test")]

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use volley_api::{
    Boundedness, CommitStatus, Committable, DeliveryGuarantee, Epoch, Positions, ReadEvent, ReadOptions, Replay,
    Result, Sink, SinkContext, SinkWriter, Source, Split, SplitOffset, SplitReader,
};
use volley_connector_memory::{MemorySink, MemorySource};
use volley_test_contract::{sink_contract, source_contract};

fn sample() -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10));
    RecordBatch::try_from_iter([("x", column)]).unwrap()
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    ForgetsOffset,
    IgnoresBatchRows,
    PositionsOfBatch,
    ProgressTooFar,
    CommitsTwice,
    CommitsEarly,
    AbortsNothing,
    DeniesCommit,
}

#[derive(Debug)]
struct BrokenSource(MemorySource, Fault);

#[async_trait]
impl Source for BrokenSource {
    fn label(&self) -> String {
        self.0.label()
    }
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }
    fn boundedness(&self) -> Boundedness {
        self.0.boundedness()
    }
    fn replay(&self) -> Replay {
        self.0.replay()
    }
    async fn discover(&self) -> Result<Vec<Split>> {
        self.0.discover().await
    }
    async fn open(
        &self,
        split: &Split,
        from: Option<&SplitOffset>,
        mut options: ReadOptions,
    ) -> Result<Box<dyn SplitReader>> {
        if self.1 == Fault::IgnoresBatchRows {
            options.batch_rows_max = NonZeroUsize::MAX;
        }
        let from = if self.1 == Fault::ForgetsOffset { None } else { from };
        Ok(Box::new(BrokenReader(self.0.open(split, from, options).await?, self.1)))
    }
}

struct BrokenReader(Box<dyn SplitReader>, Fault);

#[async_trait]
impl SplitReader for BrokenReader {
    async fn next(&mut self) -> Result<ReadEvent> {
        let mut event = self.0.next().await?;
        if let ReadEvent::Batch(batch) = &mut event {
            match self.1 {
                Fault::PositionsOfBatch => batch.positions = Positions::From(0),
                Fault::ProgressTooFar => batch.progress_units *= 2,
                _ => {}
            }
        }
        Ok(event)
    }
    fn offset(&self) -> SplitOffset {
        self.0.offset()
    }
}

async fn check_source(fault: Fault) {
    let source = MemorySource::new(sample().schema(), vec![vec![sample()]]).unwrap();
    source_contract(&BrokenSource(source, fault)).await;
}

#[tokio::test]
#[should_panic(expected = "resumed behind row 1 in batches of 1")]
async fn an_offset_must_be_heeded() {
    check_source(Fault::ForgetsOffset).await;
}

#[tokio::test]
#[should_panic(expected = "a batch of 10 rows where 1 were the most")]
async fn the_size_of_batches_must_be_heeded() {
    check_source(Fault::IgnoresBatchRows).await;
}

#[tokio::test]
#[should_panic(expected = "positions ascend")]
async fn positions_must_be_those_in_the_split() {
    check_source(Fault::PositionsOfBatch).await;
}

#[tokio::test]
#[should_panic(expected = "progress of 20 in split 0 of size 10")]
async fn progress_must_stay_within_the_split() {
    check_source(Fault::ProgressTooFar).await;
}

#[derive(Debug)]
struct BrokenSink(MemorySink, Fault);

#[async_trait]
impl Sink for BrokenSink {
    fn label(&self) -> String {
        self.0.label()
    }
    fn guarantee(&self) -> DeliveryGuarantee {
        self.0.guarantee()
    }
    fn check(&self, input: &SchemaRef) -> Result<()> {
        self.0.check(input)
    }
    async fn open(&self, context: SinkContext) -> Result<Box<dyn SinkWriter>> {
        let writer = self.0.open(context.clone()).await?;
        Ok(Box::new(BrokenWriter(writer, self.0.clone(), self.1)))
    }
    async fn commit(&self, committable: &Committable) -> Result<()> {
        if self.1 == Fault::CommitsTwice && self.0.lookup(committable).await? == CommitStatus::Committed {
            let clock = Arc::new(volley_api::SystemClock);
            let context = SinkContext::single(committable.sink.clone(), sample().schema(), clock);
            let mut writer = self.0.open(context).await?;
            writer.write(sample()).await?;
            let again = writer.prepare(committable.epoch).await?.unwrap();
            return self.0.commit(&again).await;
        }
        self.0.commit(committable).await
    }
    async fn lookup(&self, committable: &Committable) -> Result<CommitStatus> {
        match self.1 {
            Fault::DeniesCommit => Ok(CommitStatus::NotCommitted),
            _ => self.0.lookup(committable).await,
        }
    }
    async fn abort(&self, committable: &Committable) -> Result<()> {
        match self.1 {
            Fault::AbortsNothing => self.0.commit(committable).await,
            _ => self.0.abort(committable).await,
        }
    }
}

struct BrokenWriter(Box<dyn SinkWriter>, MemorySink, Fault);

#[async_trait]
impl SinkWriter for BrokenWriter {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.0.write(batch).await
    }
    async fn prepare(&mut self, epoch: Epoch) -> Result<Option<Committable>> {
        let committable = self.0.prepare(epoch).await?;
        if let (Fault::CommitsEarly, Some(committable)) = (self.2, &committable) {
            self.1.commit(committable).await?;
        }
        Ok(committable)
    }
}

async fn check_sink(fault: Fault) {
    let sink = MemorySink::new();
    let handle = sink.handle();
    sink_contract(&BrokenSink(sink, fault), &sample(), || handle.batches()).await;
}

#[tokio::test]
#[should_panic(expected = "what is visible behind prepare")]
async fn nothing_may_be_visible_before_the_commit() {
    check_sink(Fault::CommitsEarly).await;
}

#[tokio::test]
#[should_panic(expected = "what is visible behind a second commit")]
async fn a_second_commit_must_change_nothing() {
    check_sink(Fault::CommitsTwice).await;
}

#[tokio::test]
#[should_panic(expected = "what is visible behind abort")]
async fn what_is_aborted_must_not_appear() {
    check_sink(Fault::AbortsNothing).await;
}

#[tokio::test]
#[should_panic(expected = "lookup behind commit")]
async fn lookup_must_know_what_was_committed() {
    check_sink(Fault::DeniesCommit).await;
}
