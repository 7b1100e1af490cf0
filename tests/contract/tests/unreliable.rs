//! The bad network does what it says, the same at every run; and who drives a sink by the rules gets every row once.
#![allow(clippy::unwrap_used, reason = "a test helper may panic like a test")]

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use volley_api::{CommitStatus, Committable, Epoch, JobRun, NodeName, Result, Sink, SinkContext, SystemClock};
use volley_connector_memory::{MemoryHandle, MemorySink};
use volley_test_contract::{
    Schedule, SinkCall, SinkFault, Unreliable, rows_as_text, sink_contract, sink_recovery_contract,
};

fn rows(range: std::ops::Range<i64>) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(range));
    RecordBatch::try_from_iter([("x", column)]).unwrap()
}

fn node() -> NodeName {
    NodeName::new("out").unwrap()
}

fn context() -> SinkContext {
    SinkContext::single(node(), rows(0..1).schema(), Arc::new(SystemClock))
}

struct Bench {
    sink: Unreliable<MemorySink>,
    handle: MemoryHandle,
    schedule: Schedule,
}

impl Bench {
    fn new(schedule: Schedule) -> Self {
        let sink = MemorySink::new();
        let handle = sink.handle();
        Self { sink: Unreliable::new(sink, schedule.clone()), handle, schedule }
    }

    async fn prepared(&self, epoch: u64) -> Result<Committable> {
        let mut writer = self.sink.open(context()).await?;
        let first = i64::try_from(epoch).unwrap() * 10;
        writer.write(rows(first..first + 2)).await?;
        Ok(writer.prepare(Epoch(epoch)).await?.unwrap())
    }

    /// Commits with the fault, and says what the caller learned and whether the rows are there.
    async fn commit_with(&self, fault: SinkFault) -> (Result<()>, bool) {
        let committable = self.prepared(1).await.unwrap();
        self.schedule.script(SinkCall::Commit, [Some(fault)]);
        let before = self.handle.num_rows();
        let outcome = self.sink.commit(&committable).await;
        (outcome, self.handle.num_rows() == before + 2)
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_cannot_tell_a_lost_request_from_a_lost_answer() {
    let bench = Bench::new(Schedule::seeded(0));
    let (request, is_visible) = bench.commit_with(SinkFault::RequestLost).await;
    assert!(!is_visible);
    let (answer, is_visible) = bench.commit_with(SinkFault::AnswerLost).await;
    assert!(is_visible);
    let (request, answer) = (request.unwrap_err(), answer.unwrap_err());
    assert_eq!(request.report(), answer.report());
    assert!(request.is_retryable() && answer.is_retryable());
    let (refusal, is_visible) = bench.commit_with(SinkFault::Refused).await;
    assert!(!refusal.unwrap_err().is_retryable() && !is_visible);
    for fault in [SinkFault::Doubled, SinkFault::Late { delay_ms: 60_000 }] {
        let (outcome, is_visible) = bench.commit_with(fault).await;
        outcome.unwrap();
        assert!(is_visible, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_call_arrives_although_nobody_waits_for_it() {
    let bench = Bench::new(Schedule::seeded(0));
    let committable = bench.prepared(1).await.unwrap();
    bench.schedule.script(SinkCall::Commit, [Some(SinkFault::Late { delay_ms: 5_000 })]);
    tokio::time::timeout(Duration::from_secs(1), bench.sink.commit(&committable)).await.unwrap_err();
    assert_eq!(bench.sink.lookup(&committable).await.unwrap(), CommitStatus::NotCommitted);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(bench.sink.lookup(&committable).await.unwrap(), CommitStatus::Committed);
}

#[tokio::test]
async fn other_calls_go_wrong_too() {
    let bench = Bench::new(Schedule::seeded(0));
    let committable = bench.prepared(1).await.unwrap();
    bench.schedule.script(SinkCall::Lookup, [Some(SinkFault::Vague), None, Some(SinkFault::RequestLost)]);
    assert_eq!(bench.sink.lookup(&committable).await.unwrap(), CommitStatus::Unknown);
    assert_eq!(bench.sink.lookup(&committable).await.unwrap(), CommitStatus::NotCommitted);
    assert!(bench.sink.lookup(&committable).await.unwrap_err().is_retryable());
    bench.schedule.script(SinkCall::Abort, [Some(SinkFault::AnswerLost)]);
    assert!(bench.sink.abort(&committable).await.unwrap_err().is_retryable());
    assert!(bench.sink.inner().lookup(&committable).await.is_err(), "the abort has happened");
    // What is staged and known to nobody is what a clean-up is for.
    bench.schedule.script(SinkCall::Prepare, [Some(SinkFault::AnswerLost), Some(SinkFault::RequestLost)]);
    let staged = |bench: &Bench| format!("{:?}", bench.sink.inner());
    for expected in ["staged: 1,", "staged: 1,"] {
        assert!(bench.prepared(2).await.unwrap_err().is_retryable());
        assert!(staged(&bench).contains(expected), "{}", staged(&bench));
    }
    bench.schedule.script(SinkCall::CleanUp, [Some(SinkFault::Refused)]);
    let run = JobRun { job: "out".into(), incarnation: 1 };
    bench.sink.clean_up(&run, &node(), &[]).await.unwrap_err();
    bench.sink.clean_up(&run, &node(), &[]).await.unwrap();
    assert!(staged(&bench).contains("staged: 0,"), "{}", staged(&bench));
    let epochs: Vec<_> = bench.schedule.log().iter().map(|answered| answered.epoch.map(|epoch| epoch.0)).collect();
    assert_eq!(epochs, [Some(1), Some(1), Some(1), Some(1), Some(1), Some(2), Some(2), None, None]);
}

#[test]
fn faults_are_those_of_their_call() {
    let vague = std::panic::catch_unwind(|| Schedule::seeded(0).with(SinkCall::Commit, SinkFault::Vague, 1));
    assert!(vague.is_err());
    let doubled =
        std::panic::catch_unwind(|| Schedule::seeded(0).script(SinkCall::Prepare, [Some(SinkFault::Doubled)]));
    assert!(doubled.is_err());
    let lost = SinkFault::RequestLost;
    let both = || Schedule::seeded(0).with(SinkCall::Commit, lost, 600).with(SinkCall::Commit, lost, 401);
    assert!(std::panic::catch_unwind(both).is_err());
}

/// Everything but lasting refusals, often.
fn bad(seed: u64) -> Schedule {
    let mut schedule = Schedule::seeded(seed);
    for call in [SinkCall::Commit, SinkCall::Lookup] {
        for fault in
            [SinkFault::RequestLost, SinkFault::AnswerLost, SinkFault::Late { delay_ms: 50 }, SinkFault::Doubled]
        {
            schedule = schedule.with(call, fault, 150);
        }
    }
    schedule.with(SinkCall::Lookup, SinkFault::Vague, 150)
}

/// Commits by the rules of the trait: behind an answer that was lost, only `lookup` is asked, until it knows.
async fn commit_by_the_rules(sink: &dyn Sink, committable: &Committable) {
    loop {
        let Err(error) = sink.commit(committable).await else { return };
        assert!(error.is_retryable(), "{}", error.report());
        loop {
            match sink.lookup(committable).await {
                Ok(CommitStatus::Committed) => return,
                Ok(CommitStatus::NotCommitted) => break,
                Ok(CommitStatus::Unknown) => {}
                Err(error) => assert!(error.is_retryable(), "{}", error.report()),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn by_the_rules_every_row_is_there_once() {
    let (mut faults, mut logs) = (0, Vec::new());
    for seed in (0..100).flat_map(|seed| [seed, seed]) {
        let bench = Bench::new(bad(seed));
        for epoch in 1..=5 {
            let committable = bench.prepared(epoch).await.unwrap();
            commit_by_the_rules(&bench.sink, &committable).await;
        }
        let expected: Vec<RecordBatch> = (1..=5).map(|epoch| rows(epoch * 10..epoch * 10 + 2)).collect();
        assert_eq!(rows_as_text(&bench.handle.batches()), rows_as_text(&expected), "seed {seed}");
        let log = bench.schedule.log();
        faults += log.iter().filter(|answered| answered.fault.is_some()).count();
        logs.push(log);
    }
    assert!(faults > 1000, "{faults} faults");
    assert!(logs.chunks(2).all(|pair| pair[0] == pair[1]), "one seed gives one run");
    assert_ne!(logs[0], logs[2], "another seed gives another run");
}

#[tokio::test(start_paused = true)]
async fn a_sink_keeps_its_promises_behind_late_and_doubled_calls() {
    let all = [SinkCall::Commit, SinkCall::Lookup, SinkCall::Abort, SinkCall::CleanUp];
    let schedule = all.into_iter().fold(Schedule::seeded(1), |schedule, call| {
        schedule.with(call, SinkFault::Doubled, 500).with(call, SinkFault::Late { delay_ms: 10 }, 500)
    });
    let bench = Bench::new(schedule.clone());
    sink_contract(&bench.sink, &rows(0..10), || bench.handle.batches()).await;
    let handle = MemorySink::new().handle();
    let make = || Unreliable::new(handle.sink(), schedule.clone());
    sink_recovery_contract(make, &rows(0..10), || handle.batches()).await;
    schedule.heal();
    let before = schedule.log().len();
    bench.prepared(9).await.unwrap();
    assert!(schedule.log()[before..].iter().all(|answered| answered.fault.is_none()));
}
