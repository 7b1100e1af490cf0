//! The promises of [`Sink`]: nothing visible before the commit, and commits that may be repeated.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use volley_api::{
    CommitStatus, Committable, DeliveryGuarantee, Epoch, NodeName, Sink, SinkContext, SinkWriter, SubtaskId,
    SystemClock,
};

use crate::rows_as_text;

/// The fewest rows of a sample: each step of the suite writes some of its own.
const SAMPLE_ROWS_MIN: usize = 6;

/// Holds a sink that delivers exactly once to its promises. `sample` is what is written, in parts; `read_back` gives
/// what a reader of the outside system sees at present, with the sample's columns and their types.
///
/// - Before the commit nothing is visible; `lookup` says `NotCommitted`.
/// - Behind the commit the rows are, once; a second commit changes nothing; `lookup` says `Committed`.
/// - An epoch without rows has nothing to commit.
/// - What is aborted, and what a dropped writer had not prepared, never appears; a second abort changes nothing. `lookup`
///   never calls it committed; it may fail, since nothing is left to ask for.
/// - One epoch's rows are complete when several writers prepared parts of it, whatever the order of the commits.
///
/// # Panics
/// When a promise is broken, the sink fails, or the sample has fewer than six rows.
pub async fn sink_contract(sink: &dyn Sink, sample: &RecordBatch, read_back: impl Fn() -> Vec<RecordBatch>) {
    let mut suite = Suite::begin(sink, sample, read_back);
    let schema = sample.schema();
    let mut writer = open(sink, &schema, SubtaskId::SINGLE).await;
    suite.commit_epoch(&mut *writer, 1, sample.slice(0, 2)).await;
    suite.commit_epoch(&mut *writer, 2, sample.slice(2, 1)).await;
    let nothing = writer.prepare(Epoch(3)).await.expect("prepare");
    assert_eq!(nothing, None, "an epoch without rows has nothing to commit");
    suite.abort_epoch(&mut *writer, 4, sample.slice(3, 1)).await;
    suite.drop_unprepared(writer, sample.slice(3, 1)).await;
    suite.commit_of_two_writers(&schema, sample).await;
}

/// As [`sink_contract`] for sinks that take one epoch in all, like a single file: the epoch is thrown away by one writer,
/// aborted by a second, and committed by a third.
///
/// # Panics
/// As [`sink_contract`].
pub async fn single_epoch_sink_contract(
    sink: &dyn Sink,
    sample: &RecordBatch,
    read_back: impl Fn() -> Vec<RecordBatch>,
) {
    let mut suite = Suite::begin(sink, sample, read_back);
    let schema = sample.schema();
    let writer = open(sink, &schema, SubtaskId::SINGLE).await;
    suite.drop_unprepared(writer, sample.slice(0, 2)).await;
    let mut writer = open(sink, &schema, SubtaskId::SINGLE).await;
    suite.abort_epoch(&mut *writer, 1, sample.slice(2, 1)).await;
    drop(writer);
    let mut writer = open(sink, &schema, SubtaskId::SINGLE).await;
    suite.commit_epoch(&mut *writer, 2, sample.clone()).await;
    drop(writer);
    suite.expect("behind the end of the writer");
}

struct Suite<'a, F> {
    sink: &'a dyn Sink,
    read_back: F,
    /// What has been committed until now.
    visible: Vec<RecordBatch>,
}

impl<'a, F: Fn() -> Vec<RecordBatch>> Suite<'a, F> {
    fn begin(sink: &'a dyn Sink, sample: &RecordBatch, read_back: F) -> Self {
        assert!(sample.num_rows() >= SAMPLE_ROWS_MIN, "the sample needs {SAMPLE_ROWS_MIN} rows");
        let guarantee = sink.guarantee();
        assert_eq!(guarantee, DeliveryGuarantee::ExactlyOnce, "this suite is for sinks that deliver exactly once");
        assert!(!sink.label().is_empty(), "a sink has a label");
        sink.check(&sample.schema()).expect("the sample can be written");
        let suite = Self { sink, read_back, visible: Vec::new() };
        suite.expect("before anything is written");
        suite
    }

    /// Compares what is visible with what has been committed, whatever the order.
    fn expect(&self, moment: &str) {
        let mut seen = rows_as_text(&(self.read_back)());
        let mut committed = rows_as_text(&self.visible);
        seen.sort();
        committed.sort();
        assert_eq!(seen, committed, "what is visible {moment}");
    }

    async fn status(&self, committable: &Committable) -> CommitStatus {
        self.sink.lookup(committable).await.expect("lookup")
    }

    async fn commit_epoch(&mut self, writer: &mut dyn SinkWriter, epoch: u64, rows: RecordBatch) {
        writer.write(rows.slice(0, 1)).await.expect("write");
        if rows.num_rows() > 1 {
            writer.write(rows.slice(1, rows.num_rows() - 1)).await.expect("write");
        }
        self.expect("behind write");
        let committable = prepare(writer, epoch).await;
        self.expect("behind prepare");
        assert_eq!(self.status(&committable).await, CommitStatus::NotCommitted, "lookup behind prepare");
        self.sink.commit(&committable).await.expect("commit");
        self.visible.push(rows);
        self.expect("behind commit");
        assert_eq!(self.status(&committable).await, CommitStatus::Committed, "lookup behind commit");
        self.sink.commit(&committable).await.expect("a second commit");
        self.expect("behind a second commit");
    }

    async fn abort_epoch(&self, writer: &mut dyn SinkWriter, epoch: u64, rows: RecordBatch) {
        writer.write(rows).await.expect("write");
        let committable = prepare(writer, epoch).await;
        for time in ["behind abort", "behind a second abort"] {
            self.sink.abort(&committable).await.expect("abort");
            self.expect(time);
            let status = self.sink.lookup(&committable).await;
            assert!(!matches!(status, Ok(CommitStatus::Committed)), "lookup {time}: {status:?}");
        }
    }

    async fn drop_unprepared(&self, mut writer: Box<dyn SinkWriter>, rows: RecordBatch) {
        writer.write(rows).await.expect("write");
        drop(writer);
        self.expect("behind a writer that was dropped with rows it had not prepared");
    }

    async fn commit_of_two_writers(&mut self, schema: &SchemaRef, sample: &RecordBatch) {
        if self.sink.parallelism_max().is_some_and(|most| most < 2) {
            return;
        }
        let mut prepared = Vec::new();
        for index in 0..2 {
            let mut writer = open(self.sink, schema, SubtaskId { index, parallelism: 2 }).await;
            let rows = sample.slice(4 + index as usize, 1);
            writer.write(rows.clone()).await.expect("write");
            prepared.push((prepare(&mut *writer, 5).await, rows));
        }
        assert_ne!(prepared[0].0, prepared[1].0, "each writer's committable is its own");
        for (committable, rows) in prepared.into_iter().rev() {
            assert_eq!(self.status(&committable).await, CommitStatus::NotCommitted, "lookup before the commit");
            self.sink.commit(&committable).await.expect("commit");
            self.visible.push(rows);
            self.expect("behind the commit of one writer of two");
        }
    }
}

async fn open(sink: &dyn Sink, schema: &SchemaRef, subtask: SubtaskId) -> Box<dyn SinkWriter> {
    let node = NodeName::new("out").expect("a name");
    let context = SinkContext { subtask, ..SinkContext::single(node, schema.clone(), Arc::new(SystemClock)) };
    sink.open(context).await.expect("open")
}

async fn prepare(writer: &mut dyn SinkWriter, epoch: u64) -> Committable {
    let committable = writer.prepare(Epoch(epoch)).await.expect("prepare").expect("rows were written");
    assert_eq!(committable.epoch, Epoch(epoch), "a committable names its epoch");
    assert_eq!(committable.sink.as_str(), "out", "a committable names its sink");
    committable
}
