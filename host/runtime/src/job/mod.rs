//! A running job: how it is started, watched, stopped and ended.

mod build;
mod commit;
mod deal;
mod dry;
mod epochs;
mod listed;
mod spawn;
mod wiring;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use volley_api::{
    CheckpointBarrier, Clock, Epoch, JobSteering, NoState, ReadOptions, Result, StateBackend, SystemClock,
};

use crate::channel::{Bounds, Gauge};
use crate::metrics::{JobProgress, NodeMetrics, NodeProgress, NodeRole};
use crate::plan::{EdgePort, NodeKind, PhysicalPlan};
use crate::stages::{Stage, StageProgress};
use crate::time::Pace;

pub use build::start;
pub use epochs::EpochOptions;
pub use listed::ListedPlan;

/// What a job is started with, apart from its plan.
#[derive(Debug, Clone)]
pub struct JobOptions {
    /// The host's time. Default: the machine's clock.
    pub clock: Arc<dyn Clock>,
    /// What all reproducible chance in the job starts from. Default: 0.
    pub seed: u64,
    /// How sources cut what they read. Default: [`ReadOptions::default`].
    pub read: ReadOptions,
    /// The most messages that wait in one channel. Default: 16.
    pub channel_items_max: usize,
    /// The most bytes that wait in one channel. Default: 32 MiB.
    pub channel_bytes_max: usize,
    /// A source says at least this often how far event time has come, if it has. Default: 200 ms. Zero: after every
    /// batch, as the source gives it; otherwise small ones that come at once are joined.
    pub watermark_interval: Duration,
    /// And after this many rows at the latest. Default: 100,000.
    pub watermark_rows: usize,
    /// Where keyed state is kept. Default: [`NoState`], which is enough for jobs without.
    pub state: Arc<dyn StateBackend>,
    /// How long rows may wait for others before an operator that wants large batches. Default: 5 ms.
    pub linger: Duration,
    /// Whether rows may be aggregated before they are dealt out by key, where an operator can do that. Default: true.
    pub combine: bool,
    /// How the job takes part in checkpoints. Default: not at all; everything is committed at its end, or nothing.
    pub epochs: Option<EpochOptions>,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            seed: 0,
            read: ReadOptions::default(),
            channel_items_max: 16,
            channel_bytes_max: 32 << 20,
            watermark_interval: Duration::from_millis(200),
            watermark_rows: 100_000,
            state: Arc::new(NoState),
            linger: Duration::from_millis(5),
            combine: true,
            epochs: None,
        }
    }
}

impl JobOptions {
    /// Batches are joined where event time is not told after each of them.
    pub(crate) fn gather_rows_max(&self) -> usize {
        if self.watermark_interval.is_zero() { 1 } else { self.read.batch_rows_max.get() }
    }

    pub(crate) fn pace(&self) -> Pace {
        Pace { interval: self.watermark_interval, rows: self.watermark_rows }
    }

    pub(crate) fn bounds(&self) -> Bounds {
        Bounds { items_max: self.channel_items_max, bytes_max: self.channel_bytes_max }
    }
}

/// How a job ended.
#[derive(Debug, Clone, Serialize)]
pub struct JobReport {
    /// What every node did.
    pub progress: JobProgress,
    /// From the first poll to the last commit.
    pub elapsed: Duration,
    /// Whether it was asked to stop before its sources had ended.
    pub stopped_early: bool,
    /// Whether a stop left rows of a bounded source unread, so that the output is not the whole answer.
    pub cut_short: bool,
}

/// A running job. Dropping it lets the job run on unwatched; [`JobHandle::wait`] ends it properly.
pub struct JobHandle {
    pub(crate) draining: watch::Sender<bool>,
    pub(crate) pausing: watch::Sender<bool>,
    pub(crate) aborting: watch::Sender<bool>,
    pub(crate) barriers: broadcast::Sender<CheckpointBarrier>,
    pub(crate) supervisor: JoinHandle<Result<()>>,
    pub(crate) ended: watch::Receiver<bool>,
    pub(crate) watched: Watched,
    pub(crate) stages: Stages,
    pub(crate) started: Instant,
    pub(crate) has_bounded_source: bool,
    /// Set when a reader of a bounded source gave up before the end.
    pub(crate) bounded_left: Arc<AtomicBool>,
    /// Set before the first commit.
    pub(crate) committing: Arc<AtomicBool>,
}

/// What is counted, and how it is called.
#[derive(Clone)]
pub(crate) struct Watched(Arc<Vec<WatchedNode>>);

pub(crate) struct WatchedNode {
    /// What does not change.
    fixed: NodeProgress,
    metrics: Arc<NodeMetrics>,
    queues: Vec<Gauge>,
}

/// How long messages took, by chain.
pub(crate) type Stages = Arc<Vec<Stage>>;

impl JobHandle {
    /// What the job has done so far. Cheap: reads a few counters.
    #[must_use]
    pub fn progress(&self) -> JobProgress {
        self.watched.progress()
    }

    /// Sends a barrier from every source through the whole job. Epochs must ascend. The job fails when more than 64 are asked
    /// for before a reader has sent the first of them on.
    pub fn barrier(&self, epoch: Epoch) {
        self.control().barrier(epoch);
    }

    /// What steers the job while another task waits for it.
    #[must_use]
    pub fn control(&self) -> JobControl {
        let (barriers, pausing) = (self.barriers.clone(), self.pausing.clone());
        JobControl { barriers, pausing, draining: self.draining.clone(), aborting: self.aborting.clone() }
    }

    /// Asks the job to end cleanly: sources are read no further, what was read is processed, sinks commit.
    pub fn stop(&self) {
        self.control().end();
    }

    /// Breaks the job off: what is staged is thrown away and nothing becomes visible, unless it is being committed
    /// already, which is brought to its end. [`JobHandle::wait`] says which.
    pub fn abort(&self) {
        self.control().abort();
    }

    /// What the job has done, as a report of one that is stopped here and can go on from a checkpoint.
    #[must_use]
    pub fn stopped_report(&self) -> JobReport {
        JobReport {
            progress: self.progress(),
            elapsed: self.started.elapsed(),
            stopped_early: true,
            cut_short: self.has_bounded_source,
        }
    }

    /// Something that sees the progress of the job while another task waits for it.
    pub fn watcher(&self) -> impl Fn() -> JobProgress + Send + Sync + 'static {
        let watched = self.watched.clone();
        move || watched.progress()
    }

    /// Something that sees how long messages take in each chain.
    pub fn stage_watcher(&self) -> impl Fn() -> Vec<StageProgress> + Send + Sync + 'static {
        let stages = Arc::clone(&self.stages);
        move || stages.iter().map(|stage| stage.latency.progress(&stage.node)).collect()
    }

    /// The same of barriers: for how long each held a chain up, from when it had come from all its inputs until it was handed
    /// on. In between the chain takes snapshots of its operators' state, and no rows.
    pub fn barrier_watcher(&self) -> impl Fn() -> Vec<StageProgress> + Send + Sync + use<> {
        let stages = Arc::clone(&self.stages);
        move || stages.iter().map(|stage| stage.barriers.progress(&stage.node)).collect()
    }

    /// Something that tells, also after [`JobHandle::wait`], whether the job came to commit: from then on something may
    /// be visible, and a fresh start would put it out twice.
    pub fn commit_watcher(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let committing = Arc::clone(&self.committing);
        move || committing.load(Ordering::Relaxed)
    }

    /// Resolves when the job has ended, well or badly; [`JobHandle::wait`] then says which.
    pub fn finished(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut ended = self.ended.clone();
        // An error means that the supervisor has gone without a word, which is an end too.
        async move { drop(ended.wait_for(|ended| *ended).await) }
    }

    /// Waits for the end of the job.
    ///
    /// # Errors
    /// What the first task that failed says. Nothing that the job staged is visible then, unless the failure came
    /// from a commit: the error names what had been committed before.
    pub async fn wait(self) -> Result<JobReport> {
        match self.supervisor.await {
            Ok(outcome) => outcome?,
            Err(error) => return Err(volley_api::Error::internal(format!("the job's supervisor: {error}"))),
        }
        Ok(JobReport {
            progress: self.watched.progress(),
            elapsed: self.started.elapsed(),
            stopped_early: *self.draining.borrow(),
            cut_short: *self.draining.borrow() && self.bounded_left.load(Ordering::Relaxed),
        })
    }
}

/// Steers a running job, from any thread. Made by [`JobHandle::control`].
#[derive(Debug, Clone)]
pub struct JobControl {
    barriers: broadcast::Sender<CheckpointBarrier>,
    pausing: watch::Sender<bool>,
    draining: watch::Sender<bool>,
    aborting: watch::Sender<bool>,
}

impl JobSteering for JobControl {
    fn barrier(&self, epoch: Epoch) {
        // Nobody listens any more once every source has ended.
        let _ = self.barriers.send(CheckpointBarrier { epoch });
    }

    fn pause(&self, paused: bool) {
        self.pausing.send_replace(paused);
    }

    fn end(&self) {
        self.draining.send_replace(true);
    }
}

impl JobControl {
    /// As [`JobHandle::abort`].
    pub fn abort(&self) {
        self.aborting.send_replace(true);
        self.draining.send_replace(true);
    }
}

impl fmt::Debug for JobHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle").field("progress", &self.progress()).finish_non_exhaustive()
    }
}

impl Watched {
    /// `queues` has the channels before each node.
    pub(crate) fn new(
        plan: &PhysicalPlan,
        metrics: &[Arc<NodeMetrics>],
        sizes: &[Option<u64>],
        mut queues: Vec<Vec<Gauge>>,
    ) -> Self {
        let nodes = plan.checked.nodes.iter().enumerate().map(|(index, node)| {
            let mut feeding = plan.checked.edges.iter().filter(|edge| edge.to == index).peekable();
            let fixed = NodeProgress {
                name: node.name.to_string(),
                role: match node.kind {
                    NodeKind::Source(_) => NodeRole::Source,
                    NodeKind::Operator(_) => NodeRole::Operator,
                    NodeKind::Sink(_) => NodeRole::Sink,
                },
                rows_in: 0,
                rows_out: 0,
                rows_rejected: 0,
                rows_late: 0,
                windows_pending: None,
                watermark_ms: None,
                queue_fill: None,
                progress_units: 0,
                size_units: sizes[index],
                dead_letters: feeding.peek().is_some() && feeding.all(|edge| edge.port == EdgePort::Errors),
            };
            let (metrics, queues) = (Arc::clone(&metrics[index]), std::mem::take(&mut queues[index]));
            WatchedNode { fixed, metrics, queues }
        });
        Self(Arc::new(nodes.collect()))
    }

    fn progress(&self) -> JobProgress {
        let now = |WatchedNode { fixed, metrics, queues }: &WatchedNode| NodeProgress {
            rows_in: metrics.rows_in.load(Ordering::Relaxed),
            rows_out: metrics.rows_out.load(Ordering::Relaxed),
            rows_rejected: metrics.rows_rejected.load(Ordering::Relaxed),
            rows_late: metrics.rows_late.load(Ordering::Relaxed),
            windows_pending: metrics.windows_pending(),
            watermark_ms: metrics.watermark_ms(),
            queue_fill: queues.iter().map(Gauge::utilization).reduce(f64::max),
            progress_units: metrics.progress_units.load(Ordering::Relaxed),
            ..fixed.clone()
        };
        JobProgress { nodes: self.0.iter().map(now).collect() }
    }
}
