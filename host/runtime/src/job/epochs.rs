//! What a job that takes checkpoints is started with.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use volley_api::{
    CheckpointBarrier, Epoch, EpochListener, JobRun, JobState, NodeName, OperatorState, Result, Split, SplitId,
    SplitPosition, TaskId, Watermark,
};

use super::ListedPlan;
use crate::task::replay::Ending;
use crate::task::report::Reporter;

/// How a job takes part in checkpoints: who makes them, and what it goes on from.
#[derive(Debug, Clone)]
pub struct EpochOptions {
    /// Learns how far every task has come, and decides what becomes of output: the job itself commits nothing then.
    pub listener: Arc<dyn EpochListener>,
    /// The epoch that ends with the first barrier: greater than every one that the job has ever used.
    pub first_epoch: Epoch,
    /// Which run of the job this is.
    pub run: JobRun,
    /// What the job goes on from; `None` when it begins.
    pub restored: Option<Arc<JobState>>,
    /// Replays: the job reads every split exactly to where it stands here, tells operators the event time that is known here,
    /// and passes one barrier, [`EpochOptions::first_epoch`]. Its sinks are not opened and nothing is put out. Then it waits to
    /// be broken off. This is how a damaged checkpoint is rebuilt (design §6). Of states the names count, and no files.
    pub until: Option<Arc<JobState>>,
}

/// What the tasks of a job need to know of checkpoints while they are made.
pub(super) struct Epochs {
    options: Option<EpochOptions>,
    /// What output without checkpoints is prepared under.
    run: JobRun,
    tasks: AtomicU32,
}

/// The epoch that the end of the input completes in a job that takes no checkpoints.
const ONLY_EPOCH: Epoch = Epoch(1);

impl Epochs {
    pub(super) fn new(job: &str, options: Option<EpochOptions>) -> Self {
        let run = options.as_ref().map_or_else(|| JobRun::without_checkpoints(job), |options| options.run.clone());
        Self { options, run, tasks: AtomicU32::new(0) }
    }

    pub(super) fn run(&self) -> JobRun {
        self.run.clone()
    }

    pub(super) fn first(&self) -> Epoch {
        self.options.as_ref().map_or(ONLY_EPOCH, |options| options.first_epoch)
    }

    pub(super) fn is_restored(&self) -> bool {
        self.restored().is_some()
    }

    /// The barrier and the state that a replay ends with.
    pub(super) fn replay(&self) -> Option<(CheckpointBarrier, Arc<JobState>)> {
        let options = self.options.as_ref()?;
        Some((CheckpointBarrier { epoch: options.first_epoch }, Arc::clone(options.until.as_ref()?)))
    }

    /// What a node comes to at the end of a replay.
    pub(super) fn ending(&self, node: &NodeName) -> Option<Ending> {
        let until = self.options.as_ref()?.until.as_ref()?;
        if until.splits.contains_key(node) {
            return Some(Ending::Alive(None));
        }
        let known = until.operators.get(node);
        Some(match known.filter(|known| known.watermark.is_some() || !known.keyed.is_empty()) {
            Some(known) => Ending::Alive(known.watermark),
            None => Ending::Over,
        })
    }

    fn restored(&self) -> Option<&JobState> {
        self.options.as_ref().and_then(|options| options.restored.as_deref())
    }

    /// The voice of the next task.
    pub(super) fn reporter(&self) -> Reporter {
        let task = TaskId(self.tasks.fetch_add(1, Ordering::Relaxed));
        Reporter::new(self.options.as_ref().map(|options| Arc::clone(&options.listener)), task)
    }

    /// Tells how many tasks there are: all those that have a voice.
    pub(super) fn started(&self) {
        if let Some(options) = &self.options {
            options.listener.started(self.tasks.load(Ordering::Relaxed));
        }
    }

    /// What is restored of an operator.
    pub(super) fn operator(&self, node: &NodeName) -> OperatorState {
        self.restored().and_then(|state| state.operators.get(node)).cloned().unwrap_or_default()
    }

    /// What an operator was last told of event time. The end of it is told again: what was read to its end ends again.
    pub(super) fn watermark(&self, node: &NodeName) -> Option<Watermark> {
        let known = self.restored().and_then(|state| state.operators.get(node)?.watermark);
        known.filter(|watermark| *watermark != Watermark::End)
    }

    /// Where splits were read to, of those that a reader has. The first reader also looks after splits that have ended and
    /// are not listed any more: should they come back, they are not read again.
    pub(super) fn positions<'a>(
        &self,
        source: &NodeName,
        splits: impl Iterator<Item = &'a Split>,
        listed: Option<&[Split]>,
    ) -> BTreeMap<SplitId, SplitPosition> {
        let Some(known) = self.restored().and_then(|state| state.splits.get(source)) else { return BTreeMap::new() };
        let own = splits.filter_map(|split| known.get_key_value(&split.id));
        let gone =
            known.iter().filter(|(id, _)| listed.is_some_and(|listed| listed.iter().all(|split| split.id != **id)));
        own.chain(gone).map(|(id, state)| (id.clone(), state.position.clone())).collect()
    }

    /// How far the event time of splits had come that are still to be read, as watermarks in milliseconds.
    pub(super) fn reached(&self, source: &NodeName) -> HashMap<SplitId, i64> {
        let known = self.restored().and_then(|state| state.splits.get(source)).into_iter().flatten();
        let open = known.filter(|(_, state)| state.position != SplitPosition::Ended);
        open.filter_map(|(id, state)| Some((id.clone(), state.reached_ms?))).collect()
    }

    /// Whether a split has nothing left to read.
    pub(super) fn has_ended(&self, source: &NodeName, split: &SplitId) -> bool {
        let state = self.restored().and_then(|state| state.splits.get(source)?.get(split));
        state.is_some_and(|state| state.position == SplitPosition::Ended)
    }

    /// Refuses a plan that cannot be checkpointed, or that has lost what the checkpoint knows.
    pub(super) fn check(&self, listed: &ListedPlan) -> Result<()> {
        if self.options.is_none() {
            return Ok(());
        }
        listed.check_sinks()?;
        self.restored().map_or(Ok(()), |restored| listed.check_nodes(restored))
    }
}
