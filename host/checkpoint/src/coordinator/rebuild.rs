//! Rebuilds a damaged checkpoint whose output is visible: the job goes back to the one before it and reads on, unheard, to
//! where the damaged one was taken (design §6).
//!
//! What makes a checkpoint N is in its manifest, which is kept twice, but for the state of operators. Where that follows from
//! what the checkpoint before had and the set of rows since (whoever starts the replay knows whether it does), these are read
//! again, up to the very positions of N; nothing of it is put out, since the output of N is staged or visible. What comes of it is stored as a new epoch, which holds the output that
//! N held, and the job goes on from there as from any other.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::oneshot;
use volley_api::{Epoch, EpochListener, Error, JobRun, JobState, Result, TaskEvent, TaskPart, TaskReport};

use crate::Restored;
use crate::manifest::{Manifest, PlanNode};
use crate::restore::known_state;
use crate::store::{Completion, Run, hit};

/// A job that is to read on from one checkpoint to where another was taken.
#[derive(Debug)]
pub struct Replay {
    /// The run that does it.
    pub run: JobRun,
    /// The epoch that it is stored as.
    pub epoch: Epoch,
    /// Where it begins.
    pub from: Arc<JobState>,
    /// Where it ends: positions, event time and names of states; there are no files behind them.
    pub until: Arc<JobState>,
    /// Takes what its tasks report.
    pub listener: Arc<dyn EpochListener>,
}

/// Starts jobs that replay. Implemented by whoever knows the runtime.
#[async_trait]
pub trait Replayer: Send + Sync + Debug {
    /// Starts one.
    ///
    /// # Errors
    /// When it cannot be started.
    async fn start(&self, replay: Replay) -> Result<Box<dyn Replaying>>;
}

/// A job that replays.
#[async_trait]
pub trait Replaying: Send {
    /// Resolves when it has failed, and says why. Cancel safe.
    async fn failed(&mut self) -> Error;

    /// Breaks it off, and waits until nothing of it is left.
    async fn end(self: Box<Self>);
}

/// Rebuilds what the manifest `target` describes from the checkpoint before it. Gives the epoch that takes its place.
pub(super) async fn rebuild(
    run: &Run,
    base: &Restored,
    target: &Manifest,
    replayer: &dyn Replayer,
    now_ms: u64,
) -> Result<Epoch> {
    let until = known_state(target)?;
    run.goes_on_from(base);
    let mut writer = run.begin().await?;
    let epoch = writer.epoch();
    hit("rebuild-begun")?;
    let (reports, reported) = Reports::new(epoch);
    let mut replaying = replayer
        .start(Replay {
            run: run.job_run().clone(),
            epoch,
            from: Arc::new(base.state.clone()),
            until: Arc::new(until),
            listener: Arc::new(reports),
        })
        .await?;
    let outcome = async {
        let parts = tokio::select! {
            // Nobody drops the listener while the job runs: without an answer it has failed.
            Ok(parts) = reported => parts,
            error = replaying.failed() => return Err(error),
        };
        hit("rebuild-replayed")?;
        // Files are taken while the job still has its state.
        writer.take(parts).await?;
        writer.check_same_as(target)?;
        let pending = target.committables().map_err(super::begin::no_name)?;
        let report = writer.complete(Completion { now_ms, is_final: false, pending }).await?;
        hit("rebuild-complete")?;
        Ok(report)
    };
    let outcome = outcome.await;
    replaying.end().await;
    outcome.map(|_| epoch)
}

/// Why a checkpoint cannot be rebuilt by this pipeline, if so: rows would take another way than they took. Sinks have no
/// part in it, and no definition.
pub(super) fn other_plan(base: &Manifest, target: &Manifest, own: &[PlanNode]) -> Option<String> {
    let nodes = |plan: &[PlanNode]| -> BTreeMap<String, Option<String>> {
        let with_rows = plan.iter().filter(|node| !node.kind.starts_with("sink"));
        with_rows.map(|node| (node.uid.clone(), node.definition.clone())).collect()
    };
    let of_target = nodes(&target.plan);
    if let Some((name, _)) = of_target.iter().find(|(_, definition)| definition.is_none()) {
        return Some(format!("it does not say how `{name}` was defined"));
    }
    for (plan, of) in [(nodes(&base.plan), "the one before it"), (nodes(own), "this run")] {
        let differs = |name: &&String| plan.get(*name) != of_target.get(*name);
        if let Some(name) = of_target.keys().chain(plan.keys()).find(differs) {
            return Some(format!("`{name}` was not the same in it and in {of}"));
        }
    }
    None
}

/// Gathers what every task reports of one epoch.
#[derive(Debug)]
struct Reports(Mutex<Gathering>);

#[derive(Debug)]
struct Gathering {
    epoch: Epoch,
    tasks: Option<usize>,
    heard: usize,
    parts: Vec<TaskPart>,
    done: Option<oneshot::Sender<Vec<TaskPart>>>,
}

impl Reports {
    fn new(epoch: Epoch) -> (Self, oneshot::Receiver<Vec<TaskPart>>) {
        let (done, reported) = oneshot::channel();
        (Self(Mutex::new(Gathering { epoch, tasks: None, heard: 0, parts: Vec::new(), done: Some(done) })), reported)
    }

    fn note(&self, change: impl FnOnce(&mut Gathering)) {
        let mut gathering = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut gathering);
        if gathering.tasks == Some(gathering.heard)
            && let Some(done) = gathering.done.take()
        {
            // Whoever waited may have given up.
            drop(done.send(std::mem::take(&mut gathering.parts)));
        }
    }
}

impl EpochListener for Reports {
    fn started(&self, tasks: u32) {
        self.note(|gathering| gathering.tasks = Some(tasks as usize));
    }

    fn report(&self, TaskReport { event, parts, .. }: TaskReport) {
        self.note(|gathering| match event {
            TaskEvent::Passed(epoch) if epoch != gathering.epoch => {}
            // A task that nothing is read for has finished.
            TaskEvent::Passed(_) | TaskEvent::Finished => {
                gathering.heard += 1;
                gathering.parts.extend(parts);
            }
        });
    }
}
