//! The suite for failures catches what it is for: each broken promise of a sink fails it.
#![allow(clippy::unwrap_used, reason = "a test helper may panic like a test")]

use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use volley_api::{
    CommitStatus, Committable, DeliveryGuarantee, Epoch, JobRun, NodeName, Result, ShownBeyond, Sink, SinkContext,
    SinkWriter,
};
use volley_connector_memory::{MemoryHandle, MemorySink};
use volley_test_contract::sink_recovery_contract;

fn sample() -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10));
    RecordBatch::try_from_iter([("x", column)]).unwrap()
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// What is prepared is visible.
    CommitsEarly,
    /// `lookup` says `Committed` whatever was asked.
    ClaimsCommitted,
    /// `lookup` says `NotCommitted` whatever was asked.
    DeniesCommitted,
    /// What is staged is known to the value that staged it, and to nobody after it.
    ForgetsStaged,
    /// `clean_up` has no regard for what is kept.
    CleansUpKept,
    /// `clean_up` does nothing, like the default of the trait.
    CleansUpNothing,
    /// `clean_up` takes what runs of its own incarnation staged, too.
    CleansUpOwn,
    /// `clean_up` takes what other sinks and other jobs staged, too.
    CleansUpOthers,
    /// A commit of what is gone succeeds.
    CommitsAborted,
    /// A commit behind an abort puts the rows out after all.
    AbortsNothing,
    /// A token is enough: whose it is is not looked at.
    IgnoresOwner,
    /// A writer names itself, and not the incarnation that it belongs to.
    NamesNoIncarnation,
    /// A second commit is an error.
    CommitsOnce,
    /// `shows_beyond` says that there is nothing, whatever was asked.
    ShowsNothing,
    /// `shows_beyond` tells of what earlier runs committed, too.
    ShowsEarlierRuns,
}

/// What all values of one target share.
#[derive(Debug, Clone)]
struct Target {
    handle: MemoryHandle,
    /// All that was prepared.
    prepared: Arc<Mutex<Vec<Committable>>>,
}

#[derive(Debug)]
struct BrokenSink {
    sink: MemorySink,
    target: Target,
    fault: Fault,
}

impl BrokenSink {
    /// The committable that its token was given out for.
    fn original(&self, committable: &Committable) -> Committable {
        let prepared = self.target.prepared.lock().unwrap();
        prepared.iter().find(|prepared| prepared.token == committable.token).unwrap_or(committable).clone()
    }
}

#[async_trait]
impl Sink for BrokenSink {
    fn label(&self) -> String {
        self.sink.label()
    }
    fn guarantee(&self) -> DeliveryGuarantee {
        self.sink.guarantee()
    }
    fn check(&self, input: &SchemaRef) -> Result<()> {
        self.sink.check(input)
    }
    async fn open(&self, mut context: SinkContext) -> Result<Box<dyn SinkWriter>> {
        if self.fault == Fault::NamesNoIncarnation {
            context.run.incarnation = 0;
        }
        let writer = self.sink.open(context).await?;
        let (sink, target) = (self.sink.clone(), self.target.clone());
        Ok(Box::new(BrokenWriter { writer, sink, target, fault: self.fault }))
    }
    async fn commit(&self, committable: &Committable) -> Result<()> {
        match self.fault {
            Fault::CommitsAborted if self.sink.lookup(committable).await.is_err() => Ok(()),
            Fault::IgnoresOwner => self.sink.commit(&self.original(committable)).await,
            Fault::CommitsOnce if self.sink.lookup(committable).await? == CommitStatus::Committed => {
                Err(volley_api::Error::external("it is committed already"))
            }
            _ => self.sink.commit(committable).await,
        }
    }
    async fn lookup(&self, committable: &Committable) -> Result<CommitStatus> {
        match self.fault {
            Fault::ClaimsCommitted => Ok(CommitStatus::Committed),
            Fault::DeniesCommitted => Ok(CommitStatus::NotCommitted),
            Fault::IgnoresOwner => self.sink.lookup(&self.original(committable)).await,
            _ => self.sink.lookup(committable).await,
        }
    }
    async fn abort(&self, committable: &Committable) -> Result<()> {
        match self.fault {
            Fault::AbortsNothing => self.sink.lookup(committable).await.map(drop),
            Fault::IgnoresOwner => self.sink.abort(&self.original(committable)).await,
            _ => self.sink.abort(committable).await,
        }
    }
    async fn shows_beyond(&self, since: &JobRun, sink: &NodeName, epoch: Epoch) -> Result<ShownBeyond> {
        let any = JobRun { incarnation: 0, ..since.clone() };
        match self.fault {
            Fault::ShowsNothing => Ok(ShownBeyond::Nothing),
            Fault::ShowsEarlierRuns => self.sink.shows_beyond(&any, sink, epoch).await,
            _ => self.sink.shows_beyond(since, sink, epoch).await,
        }
    }
    async fn clean_up(&self, run: &JobRun, sink: &NodeName, kept: &[Committable]) -> Result<()> {
        let later = JobRun { incarnation: run.incarnation.saturating_add(1), ..run.clone() };
        match self.fault {
            Fault::CleansUpKept => self.sink.clean_up(run, sink, &[]).await,
            Fault::CleansUpNothing => Ok(()),
            Fault::CleansUpOwn => self.sink.clean_up(&later, sink, kept).await,
            Fault::CleansUpOthers => {
                let prepared = self.target.prepared.lock().unwrap().clone();
                for other in prepared.iter().filter(|other| other.run.incarnation < run.incarnation) {
                    if !kept.contains(other) && self.sink.lookup(other).await.ok() == Some(CommitStatus::NotCommitted) {
                        self.sink.abort(other).await?;
                    }
                }
                Ok(())
            }
            _ => self.sink.clean_up(run, sink, kept).await,
        }
    }
}

struct BrokenWriter {
    writer: Box<dyn SinkWriter>,
    sink: MemorySink,
    target: Target,
    fault: Fault,
}

#[async_trait]
impl SinkWriter for BrokenWriter {
    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.writer.write(batch).await
    }
    async fn prepare(&mut self, epoch: Epoch) -> Result<Option<Committable>> {
        let committable = self.writer.prepare(epoch).await?;
        self.target.prepared.lock().unwrap().extend(committable.clone());
        if let (Fault::CommitsEarly, Some(committable)) = (self.fault, &committable) {
            self.sink.commit(committable).await?;
        }
        Ok(committable)
    }
}

async fn check(fault: Fault) {
    let target = Target { handle: MemorySink::new().handle(), prepared: Arc::default() };
    let make = || {
        let sink = if fault == Fault::ForgetsStaged { MemorySink::new() } else { target.handle.sink() };
        BrokenSink { sink, target: target.clone(), fault }
    };
    sink_recovery_contract(make, &sample(), || target.handle.batches()).await;
}

#[tokio::test]
async fn an_unbroken_sink_passes() {
    check(Fault::None).await;
}

#[tokio::test]
#[should_panic(expected = "what is visible behind prepare")]
async fn nothing_may_be_visible_before_the_commit() {
    check(Fault::CommitsEarly).await;
}

#[tokio::test]
#[should_panic(expected = "lookup by another process: Ok(Committed)")]
async fn lookup_must_not_claim_what_is_not_committed() {
    check(Fault::ClaimsCommitted).await;
}

#[tokio::test]
#[should_panic(expected = "lookup behind a commit by another process")]
async fn lookup_must_not_deny_what_is_committed() {
    check(Fault::DeniesCommitted).await;
}

#[tokio::test]
#[should_panic(expected = "lookup by another process: Err")]
async fn what_is_staged_must_outlive_its_process() {
    check(Fault::ForgetsStaged).await;
}

#[tokio::test]
#[should_panic(expected = "lookup by another process: Err")]
async fn clean_up_must_leave_what_is_kept() {
    check(Fault::CleansUpKept).await;
}

#[tokio::test]
#[should_panic(expected = "a commit behind the clean-up succeeded")]
async fn clean_up_must_take_what_is_not_kept() {
    check(Fault::CleansUpNothing).await;
}

#[tokio::test]
#[should_panic(expected = "the clean-up of the same incarnation")]
async fn clean_up_must_leave_what_its_own_run_staged() {
    check(Fault::CleansUpOwn).await;
}

#[tokio::test]
#[should_panic(expected = "the clean-up of another sink")]
async fn clean_up_must_leave_what_others_staged() {
    check(Fault::CleansUpOthers).await;
}

#[tokio::test]
#[should_panic(expected = "a commit behind abort succeeded")]
async fn what_is_aborted_must_not_be_committed() {
    check(Fault::CommitsAborted).await;
}

#[tokio::test]
#[should_panic(expected = "a commit behind abort succeeded")]
async fn an_abort_must_throw_away() {
    check(Fault::AbortsNothing).await;
}

#[tokio::test]
#[should_panic(expected = "an abort of a token under another job succeeded")]
async fn a_token_must_stand_for_its_own_committable() {
    check(Fault::IgnoresOwner).await;
}

#[tokio::test]
#[should_panic(expected = "a committable names its run, sink and epoch")]
async fn a_committable_must_name_its_run() {
    check(Fault::NamesNoIncarnation).await;
}

#[tokio::test]
#[should_panic(expected = "a commit by two at once")]
async fn a_commit_must_be_repeatable() {
    check(Fault::CommitsOnce).await;
}

#[tokio::test]
#[should_panic(expected = "what is shown of everything")]
async fn what_is_visible_must_be_told() {
    check(Fault::ShowsNothing).await;
}

#[tokio::test]
#[should_panic(expected = "what is shown of later runs")]
async fn what_earlier_runs_committed_must_not_be_told() {
    check(Fault::ShowsEarlierRuns).await;
}
