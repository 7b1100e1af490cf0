//! The end of a job: a lost answer to a commit is looked up, a lasting refusal names what was committed before.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use common::{Fate, Step, name, numbers, plan, port};
use volley_api::{CommitStatus, Committable, DeliveryGuarantee, Error, Result, Sink, SinkContext, SinkWriter};
use volley_connector_memory::{MemoryHandle, MemorySink};

/// How commits of a [`Flaky`] sink go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// The first commit happens, but its answer is lost.
    AnswerLost,
    /// The first commit does not happen.
    RequestLost,
    /// No commit ever happens, and nobody can tell.
    Unknown,
    /// The target refuses for good.
    Refused,
}

#[derive(Debug)]
struct Flaky {
    inner: MemorySink,
    trouble: Trouble,
    commits: AtomicU32,
}

#[async_trait]
impl Sink for Flaky {
    fn label(&self) -> String {
        "flaky".to_owned()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        self.inner.guarantee()
    }

    fn check(&self, input: &SchemaRef) -> Result<()> {
        self.inner.check(input)
    }

    async fn open(&self, context: SinkContext) -> Result<Box<dyn SinkWriter>> {
        self.inner.open(context).await
    }

    async fn commit(&self, committable: &Committable) -> Result<()> {
        let first = self.commits.fetch_add(1, Ordering::SeqCst) == 0;
        match self.trouble {
            Trouble::Refused => return Err(Error::external("the table is gone")),
            Trouble::Unknown => return Err(Error::external("timed out").retryable()),
            Trouble::RequestLost if first => return Err(Error::external("timed out").retryable()),
            Trouble::AnswerLost | Trouble::RequestLost => self.inner.commit(committable).await?,
        }
        if first && self.trouble == Trouble::AnswerLost {
            return Err(Error::external("timed out").retryable());
        }
        Ok(())
    }

    async fn lookup(&self, committable: &Committable) -> Result<CommitStatus> {
        if self.trouble == Trouble::Unknown {
            return Ok(CommitStatus::Unknown);
        }
        self.inner.lookup(committable).await
    }

    async fn abort(&self, committable: &Committable) -> Result<()> {
        self.inner.abort(committable).await
    }
}

/// Runs ten rows into a sink called `first` that works, one called `middle` in trouble, and `last`.
async fn run(trouble: Trouble) -> (Result<()>, [MemoryHandle; 3], u32) {
    let flaky = Flaky { inner: MemorySink::new(), trouble, commits: AtomicU32::new(0) };
    let (first, last) = (MemorySink::new(), MemorySink::new());
    let handles = [first.handle(), flaky.inner.handle(), last.handle()];
    let flaky = Arc::new(flaky);
    let mut plan = plan(1);
    plan.add_source(name("numbers"), numbers(10, 10, 1), None).expect("a fresh name");
    let sinks: [(&str, Arc<dyn Sink>); 3] =
        [("first", Arc::new(first)), ("middle", Arc::clone(&flaky) as _), ("zlast", Arc::new(last))];
    for (node, sink) in sinks {
        plan.add_sink(name(node), vec![port("numbers")], sink, None).expect("a fresh name");
    }
    let plan = plan.check().expect("a good plan").chain();
    let job = volley_runtime::start(plan, Default::default()).await.expect("starts");
    let came_to_commit = job.commit_watcher();
    let outcome = job.wait().await.map(|_| ());
    assert!(came_to_commit(), "however the commit ended");
    (outcome, handles, flaky.commits.load(Ordering::SeqCst))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_looked_up_and_not_committed_again() {
    let (outcome, handles, commits) = run(Trouble::AnswerLost).await;
    outcome.expect("it was committed");
    assert_eq!(commits, 1);
    assert!(handles.iter().all(|handle| handle.num_rows() == 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_breaks_off_never_came_to_commit() {
    let mut plan = plan(1);
    plan.add_source(name("numbers"), numbers(10, 10, 1), None).expect("a fresh name");
    plan.add_operator(name("fails"), vec![port("numbers")], Step::factory(|_| Fate::Fail), None).expect("a fresh name");
    plan.add_sink(name("out"), vec![port("fails")], Arc::new(MemorySink::new()), None).expect("a fresh name");
    let plan = plan.check().expect("a good plan").chain();
    let job = volley_runtime::start(plan, Default::default()).await.expect("starts");
    let came_to_commit = job.commit_watcher();
    job.wait().await.expect_err("the operator fails");
    assert!(!came_to_commit());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_request_is_made_again() {
    let (outcome, handles, commits) = run(Trouble::RequestLost).await;
    outcome.expect("the second try works");
    assert_eq!(commits, 2);
    assert!(handles.iter().all(|handle| handle.num_rows() == 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_tell_is_neither_tried_again_nor_called_done() {
    let (outcome, handles, commits) = run(Trouble::Unknown).await;
    assert_eq!(outcome.expect_err("unknown").to_string(), "committing middle (committed before: first (0)): timed out");
    assert_eq!(commits, 1);
    assert_eq!(handles[2].num_rows(), 0, "what comes after is aborted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_what_was_committed_before_and_aborts_the_rest() {
    let (outcome, handles, _) = run(Trouble::Refused).await;
    let error = outcome.expect_err("refused");
    assert_eq!(error.to_string(), "committing middle (committed before: first (0)): the table is gone");
    assert_eq!(handles.map(|handle| handle.num_rows()), [10, 0, 0]);
}
