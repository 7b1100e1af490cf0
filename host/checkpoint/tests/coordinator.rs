//! A sink that is out keeps nobody waiting: a job stops, a savepoint says why it cannot be, and the next run commits the rest.

mod store_support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use store_support::*;
use tokio::task::JoinHandle;
use volley_api::{
    CommitStatus, Committable, DeliveryGuarantee, Epoch, EpochListener, Error, JobRun, JobSteering, NodeName, Result,
    Sink, SinkContext, SinkWriter, TaskEvent, TaskId, TaskPart, TaskReport,
};
use volley_checkpoint::coordinator::{
    Asker, BeginOptions, Coordinator, CoordinatorOptions, GoOn, Listener, Start, begin,
};
use volley_checkpoint::protocol::{End, Settings};
use volley_checkpoint::store::{Run, Savepoint};

/// So long a stop and a savepoint wait for the sink.
const PATIENCE: Duration = Duration::from_millis(150);
/// Far longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// A sink that answers only while it is there.
#[derive(Debug, Default)]
struct Moody {
    is_out: AtomicBool,
    visible: Mutex<Vec<Epoch>>,
}

impl Moody {
    fn is_there(&self) -> Result<()> {
        match self.is_out.load(Ordering::SeqCst) {
            true => Err(Error::external("no route to the sink").retryable()),
            false => Ok(()),
        }
    }

    fn visible(&self) -> Vec<Epoch> {
        self.visible.lock().expect("no panic").clone()
    }
}

#[async_trait]
impl Sink for Moody {
    fn label(&self) -> String {
        "moody".to_owned()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::ExactlyOnce
    }

    fn check(&self, _: &SchemaRef) -> Result<()> {
        Ok(())
    }

    async fn open(&self, _: SinkContext) -> Result<Box<dyn SinkWriter>> {
        unreachable!("nothing is written")
    }

    async fn commit(&self, committable: &Committable) -> Result<()> {
        self.is_there()?;
        self.visible.lock().expect("no panic").push(committable.epoch);
        Ok(())
    }

    async fn lookup(&self, committable: &Committable) -> Result<CommitStatus> {
        self.is_there()?;
        let is_visible = self.visible().contains(&committable.epoch);
        Ok(if is_visible { CommitStatus::Committed } else { CommitStatus::NotCommitted })
    }

    async fn abort(&self, _: &Committable) -> Result<()> {
        Ok(())
    }

    async fn clean_up(&self, _: &JobRun, _: &NodeName, _: &[Committable]) -> Result<()> {
        Ok(())
    }
}

/// A job of one task, which passes each barrier at once with output.
#[derive(Debug)]
struct Job {
    run: Run,
    listener: Arc<Listener>,
}

impl JobSteering for Job {
    fn barrier(&self, epoch: Epoch) {
        let parts = vec![split("a.csv", at(&format!("{epoch}"))), TaskPart::Output(output(&self.run, epoch, "token"))];
        self.listener.report(TaskReport { task: TaskId(0), event: TaskEvent::Passed(epoch), parts });
    }

    fn pause(&self, _: bool) {}

    fn end(&self) {}
}

async fn run(place: &Place, sink: &Arc<Moody>, interval_ms: u64) -> (Asker, JoinHandle<Result<End>>) {
    let patience_ms = u64::try_from(PATIENCE.as_millis()).expect("short");
    let settings = Settings {
        pending_epochs_max: 2,
        stop_wait_ms: patience_ms,
        retry_pause_ms: 5,
        retry_pause_ms_max: 20,
        commit_attempts_max: 1_000,
        ..Settings::every(interval_ms)
    };
    let sinks: BTreeMap<NodeName, Arc<dyn Sink>> = BTreeMap::from([(node("out"), Arc::clone(sink) as _)]);
    let options = BeginOptions {
        location: place.location.clone(),
        job: JOB.to_owned(),
        go_on: GoOn::Newest,
        accept_duplicates: false,
        downloads: place.downloads(),
        settings,
        run: options(),
        replayer: Err("nobody reads again".to_owned()),
    };
    let start = begin(options, &sinks, &|_| Ok(())).await.expect("begun");
    let Start::Run(begun) = start else { panic!("{start:?}") };
    let options = CoordinatorOptions { sinks, savepoint_within: PATIENCE, ..CoordinatorOptions::default() };
    let (coordinator, listener, asker) = Coordinator::new(begun.run.clone(), begun.protocol.clone(), options);
    listener.started(1);
    let job = Arc::new(Job { run: begun.run, listener });
    (asker, tokio::spawn(coordinator.run(job)))
}

async fn until(asker: &Asker, waiting: usize) {
    let waits = async {
        while asker.progress().waiting != waiting {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(LIMIT, waits).await.unwrap_or_else(|_| panic!("{:?}", asker.progress()));
}

async fn stop(asker: &Asker, running: JoinHandle<Result<End>>) -> End {
    asker.stop(false);
    let ended = tokio::time::timeout(LIMIT, running).await.expect("it does not wait for the sink");
    ended.expect("no panic").expect("a good end")
}

#[tokio::test]
async fn a_job_stops_while_its_sink_is_out_and_the_next_run_commits() {
    let (place, sink) = (Place::local(), Arc::new(Moody::default()));
    sink.is_out.store(true, Ordering::SeqCst);
    let (asker, running) = run(&place, &sink, 1).await;
    until(&asker, 2).await;
    assert_eq!(stop(&asker, running).await, End::Stopped { at: Epoch(3), waiting: 3 });
    assert_eq!(sink.visible(), []);
    assert_eq!(place.store().inspect(Epoch(3)).await.expect("there").pending.len(), 3);
    // Once more without the sink: nothing is lost of what waits.
    let (asker, running) = run(&place, &sink, 1).await;
    until(&asker, 3).await;
    assert_eq!(stop(&asker, running).await, End::Stopped { at: Epoch(4), waiting: 4 });
    sink.is_out.store(false, Ordering::SeqCst);
    let (asker, running) = run(&place, &sink, 3_600_000).await;
    assert_eq!(stop(&asker, running).await, End::Stopped { at: Epoch(5), waiting: 0 });
    assert_eq!(sink.visible(), (1..=5).map(Epoch).collect::<Vec<_>>(), "in order, each once");
}

/// Whether its epoch cannot begin, or is complete and has output that waits.
#[tokio::test]
async fn a_savepoint_says_that_output_waits() {
    for interval_ms in [1, 3_600_000] {
        let (place, sink) = (Place::local(), Arc::new(Moody::default()));
        sink.is_out.store(true, Ordering::SeqCst);
        let (asker, running) = run(&place, &sink, interval_ms).await;
        if interval_ms == 1 {
            until(&asker, 2).await;
        }
        let target = place.another().location;
        let asked = tokio::time::timeout(LIMIT, asker.savepoint(target.clone())).await.expect("an answer");
        let error = asked.expect_err("output waits");
        assert!(error.is_retryable());
        let says = "output has waited for 150ms to be committed (epoch 1 of sink `out`, writer 0)";
        assert!(error.report().contains(says), "{}", error.report());
        sink.is_out.store(false, Ordering::SeqCst);
        let taken = tokio::time::timeout(LIMIT, asker.savepoint(target.clone())).await.expect("an answer");
        let taken = taken.expect("the sink is there");
        let manifest = Savepoint::open(&target).expect("opened").inspect().await.expect("a savepoint");
        assert_eq!((manifest.epoch(), manifest.pending.len()), (taken.epoch, 0));
        assert!(matches!(stop(&asker, running).await, End::Stopped { waiting: 0, .. }));
    }
}
