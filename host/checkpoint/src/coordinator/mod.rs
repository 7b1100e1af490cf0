//! Drives the checkpoints of a running job: what tasks report becomes facts of the protocol, and what the protocol decides is
//! done, by the store, the sinks and the job.
//!
//! ```text
//! tasks ──reports──▶ Coordinator ◀──facts── Protocol ──decisions──▶ store · sinks · job
//! ```
//!
//! One task owns the protocol. What takes long — storing, committing, removing — runs beside it and comes back as a fact.

mod ask;
mod begin;
mod beyond;
mod choose;
mod listener;
mod parts;
mod rebuild;
mod rest;
mod savepoints;
#[cfg(test)]
mod tests;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use volley_api::{Clock, Epoch, JobSteering, NodeName, Result, Sink, SystemClock};

use ask::Asked;
pub use ask::{Asker, SavepointReport};
pub use begin::{BeginOptions, Begun, GoOn, RestoreCheck, begin};
use listener::Heard;
pub use listener::Listener;
use parts::{OfEpoch, Parts};
pub use rebuild::{ReplayOrder, Replayer, Replaying};
pub use rest::{Finishing, Start};
use savepoints::Savepoints;
use work::{Outcome, Work};

use crate::fail_point::{fail_point, planted};
use crate::protocol::{CommittableId, Decision, End, Fact, Protocol};
use crate::store::{EpochReport, EpochWriter, Run};

/// A sink that has given no answer by then is taken to have given none.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// What a coordinator works with.
#[derive(Debug)]
pub struct CoordinatorOptions {
    /// The sinks of the job, by name.
    pub sinks: BTreeMap<NodeName, Arc<dyn Sink>>,
    /// The host's time, for manifests. Default: the machine's.
    pub clock: Arc<dyn Clock>,
    /// A commit, look-up or abort that has no answer after this long is taken to be lost. Default: one minute.
    pub answer_within: Duration,
    /// A savepoint that has waited this long for output to be committed is given up. Default: one minute.
    pub savepoint_within: Duration,
}

impl Default for CoordinatorOptions {
    fn default() -> Self {
        Self {
            sinks: BTreeMap::new(),
            clock: Arc::new(SystemClock),
            answer_within: ANSWER_WITHIN,
            savepoint_within: Duration::from_secs(60),
        }
    }
}

/// How checkpoints have gone so far.
#[derive(Debug, Clone, Default)]
pub struct CheckpointProgress {
    /// How many epochs have become complete in this run.
    pub completed: u64,
    /// How many were given up.
    pub abandoned: u64,
    /// How many complete epochs wait for their output to be committed.
    pub waiting: usize,
    /// The last that became complete.
    pub last: Option<LastEpoch>,
    /// Why the last that was given up was.
    pub last_failure: Option<String>,
}

/// An epoch that became complete.
#[derive(Debug, Clone)]
pub struct LastEpoch {
    /// Which.
    pub epoch: Epoch,
    /// From its barrier, or the end of the job, to its manifest.
    pub took: Duration,
    /// How many bytes were written or linked for it.
    pub new_bytes: u64,
    /// How many bytes of it were in the store already.
    pub reused_bytes: u64,
    /// When it became complete.
    pub at: Instant,
}

/// Drives one run of a job.
pub struct Coordinator {
    run: Run,
    protocol: Protocol,
    options: CoordinatorOptions,
    /// What time facts are given counts from.
    began: Instant,
    heard: mpsc::UnboundedReceiver<Heard>,
    parts: Parts,
    /// Epochs whose id is in the store, or why it is not.
    begun: BTreeMap<Epoch, std::result::Result<Box<EpochWriter>, String>>,
    /// Epochs whose id is being put into the store.
    beginning: BTreeSet<Epoch>,
    /// What is to be stored of such an epoch: its tasks had all ended before its barrier came.
    early: BTreeMap<Epoch, OfEpoch>,
    /// Epochs that are stored and wait for their manifest.
    stored: BTreeMap<Epoch, Box<EpochWriter>>,
    since: BTreeMap<Epoch, Instant>,
    reports: BTreeMap<Epoch, EpochReport>,
    works: JoinSet<Outcome>,
    /// What was decided while other decisions were carried out.
    later: Vec<Decision>,
    savepoints: Savepoints,
    /// How many savepoints are being copied.
    exporting: usize,
    progress: watch::Sender<CheckpointProgress>,
}

impl fmt::Debug for Coordinator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coordinator").field("run", self.run.job_run()).finish_non_exhaustive()
    }
}

impl Coordinator {
    /// A coordinator of a run that begins, what its tasks report to, and what others ask of it.
    #[must_use]
    pub fn new(run: Run, protocol: Protocol, options: CoordinatorOptions) -> (Self, Arc<Listener>, Asker) {
        let (say, heard) = mpsc::unbounded_channel();
        let (progress, watched) = watch::channel(CheckpointProgress::default());
        let savepoints = Savepoints::new(options.savepoint_within);
        let coordinator = Self {
            run,
            protocol,
            options,
            began: Instant::now(),
            heard,
            parts: Parts::default(),
            begun: BTreeMap::new(),
            beginning: BTreeSet::new(),
            early: BTreeMap::new(),
            stored: BTreeMap::new(),
            since: BTreeMap::new(),
            reports: BTreeMap::new(),
            works: JoinSet::new(),
            later: Vec::new(),
            savepoints,
            exporting: 0,
            progress,
        };
        (coordinator, Arc::new(Listener::new(say.clone())), Asker::new(say, watched))
    }

    /// Drives the run to its end: all output committed, and the job finished or stopped. To be given up, by dropping it,
    /// when the job fails: what was not committed stays staged and is settled by the next run.
    ///
    /// # Errors
    /// When checkpoints fail too often in a row, an outside system refuses output for good, or a later start of the job has
    /// taken over. Nothing staged is thrown away.
    pub async fn run(mut self, job: Arc<dyn JobSteering>) -> Result<End> {
        let mut decisions = self.step(Fact::TimePassed);
        loop {
            for decision in std::mem::take(&mut decisions) {
                if let Some(end) = self.carry_out(decision, &*job)? {
                    self.export_committed();
                    self.settle().await;
                    fail_point("job-done").map_err(stopped)?;
                    return Ok(end);
                }
            }
            decisions = std::mem::take(&mut self.later);
            if decisions.is_empty() {
                self.export_committed();
                decisions = self.give_up_savepoints();
            }
            if decisions.is_empty() {
                self.note_progress();
                decisions = self.next(&*job).await?;
            }
        }
    }

    fn step(&mut self, fact: Fact) -> Vec<Decision> {
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.protocol.step(now_ms, fact)
    }

    /// Waits for something to happen.
    async fn next(&mut self, job: &dyn JobSteering) -> Result<Vec<Decision>> {
        let wake_at = self.protocol.wake_at_ms().map(|at_ms| self.began + Duration::from_millis(at_ms));
        let wake_at = wake_at.into_iter().chain(self.savepoints.wake_at()).min();
        let wake = async {
            match wake_at {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(heard) = self.heard.recv() => self.take(heard),
            Some(outcome) = self.works.join_next() => match outcome {
                Ok(outcome) => self.came_back(outcome, job),
                Err(error) => Err(volley_api::Error::internal(format!("a part of a checkpoint panicked: {error}"))),
            },
            () = wake => Ok(self.step(Fact::TimePassed)),
        }
    }

    fn take(&mut self, heard: Heard) -> Result<Vec<Decision>> {
        let fact = match heard {
            Heard::Started(tasks) => Fact::TasksKnown { tasks },
            Heard::Report(report) => self.parts.take(report)?,
            Heard::Asked(Asked::Checkpoint) => Fact::CheckpointAsked { is_savepoint: false },
            Heard::Asked(Asked::Savepoint { target, reply }) => {
                self.savepoints.wait(self.protocol.next_epoch(), target, reply);
                Fact::CheckpointAsked { is_savepoint: false }
            }
            Heard::Asked(Asked::Stop { drain }) => Fact::StopAsked { drain },
        };
        Ok(self.step(fact))
    }

    fn came_back(&mut self, outcome: Outcome, job: &dyn JobSteering) -> Result<Vec<Decision>> {
        let mut decisions = Vec::new();
        match outcome {
            Outcome::Begun(epoch, writer) => {
                self.beginning.remove(&epoch);
                if self.protocol.epoch_in_flight() != Some(epoch) {
                    // Given up meanwhile: its barrier would come behind those of later epochs.
                    return Ok(decisions);
                }
                if let Some(parts) = self.early.remove(&epoch) {
                    let work = Work { run: &self.run, options: &self.options };
                    self.works.spawn(work.store(epoch, Some(writer), parts));
                    return Ok(decisions);
                }
                self.begun.insert(epoch, writer);
                fail_point("barrier-before").map_err(stopped)?;
                // An epoch that could not be begun is passed all the same, and given up when it is to be stored.
                job.barrier(epoch);
                fail_point("barrier-after").map_err(stopped)?;
            }
            Outcome::Stored { writer, finished } => {
                let epoch = writer.epoch();
                self.parts.stored(finished);
                if self.protocol.epoch_in_flight() != Some(epoch) {
                    // Given up meanwhile; the writer goes, so that what it wrote can be removed.
                    return Ok(decisions);
                }
                self.stored.insert(epoch, writer);
                decisions = self.step(Fact::DataDurable { epoch });
            }
            Outcome::Complete(report) => {
                if let Some(warning) = &report.warning {
                    tracing::warn!(epoch = report.manifest.epoch, "{warning}: the checkpoint has one manifest only");
                }
                let epoch = Epoch(report.manifest.epoch);
                // One that was given up while its manifest was written is nobody's.
                if self.protocol.epoch_in_flight() == Some(epoch) {
                    self.reports.insert(epoch, *report);
                }
                decisions = self.step(Fact::ManifestComplete { epoch });
            }
            Outcome::Exported(epoch) => {
                self.exporting -= 1;
                decisions = self.step(Fact::Unpinned(epoch));
            }
            Outcome::Fact(fact) => decisions = self.step(fact),
            Outcome::Failed(error) => return Err(error),
        }
        Ok(decisions)
    }

    fn carry_out(&mut self, decision: Decision, job: &dyn JobSteering) -> Result<Option<End>> {
        let work = Work { run: &self.run, options: &self.options };
        match decision {
            Decision::InjectBarrier { epoch } => {
                self.since.insert(epoch, Instant::now());
                self.beginning.insert(epoch);
                self.works.spawn(work.begin(epoch));
            }
            Decision::StoreParts { epoch } => {
                self.since.entry(epoch).or_insert_with(Instant::now);
                let (begun, parts) = (self.begun.remove(&epoch), self.parts.of(epoch));
                if self.beginning.contains(&epoch) {
                    self.early.insert(epoch, parts);
                } else {
                    self.works.spawn(work.store(epoch, begun, parts));
                }
            }
            Decision::WriteManifest(order) => match self.stored.remove(&order.epoch) {
                Some(writer) => drop(self.works.spawn(work.complete(*writer, order))),
                None => {
                    return Err(volley_api::Error::internal("a manifest was ordered of an epoch that is not stored"));
                }
            },
            Decision::Completed { epoch, is_final, .. } => {
                fail_point("epoch-complete").map_err(stopped)?;
                if is_final {
                    fail_point("final-complete").map_err(stopped)?;
                }
                let output = self.completed(epoch)?;
                if planted("clean-up-too-early") {
                    let work = Work { run: &self.run, options: &self.options };
                    self.works.spawn(work.remove(vec![epoch]));
                }
                for _ in 0..self.savepoints.complete(epoch, &output) {
                    // It stays until it was copied.
                    let pinned = self.step(Fact::Pinned(epoch));
                    self.later.extend(pinned);
                }
            }
            Decision::Abandon { epoch, why } => {
                tracing::warn!("checkpoint {epoch} is given up: {why}");
                self.parts.abandon(epoch);
                self.begun.remove(&epoch);
                self.early.remove(&epoch);
                self.stored.remove(&epoch);
                self.since.remove(&epoch);
                self.progress.send_modify(|progress| {
                    progress.abandoned += 1;
                    progress.last_failure = Some(format!("{epoch}: {why}"));
                });
            }
            Decision::Commit(committable) => drop(self.works.spawn(work.commit(committable)?)),
            Decision::LookUp(committable) => drop(self.works.spawn(work.look_up(committable)?)),
            Decision::Abort(committable) => drop(self.works.spawn(work.abort(committable)?)),
            Decision::PauseSources => job.pause(true),
            Decision::ResumeSources => job.pause(false),
            Decision::EndSources => job.end(),
            Decision::Remove { epochs } => drop(self.works.spawn(work.remove(epochs))),
            Decision::Fail(failure) => return Err(failure.into()),
            Decision::Done(end) => return Ok(Some(end)),
            Decision::StopSuperseded { seen } => {
                let run = self.run.job_run();
                let (job, own) = (run.job.to_string(), run.incarnation);
                return Err(crate::Error::Superseded { job, own, seen }.into());
            }
        }
        Ok(None)
    }

    /// Copies epochs of which savepoints are wanted and whose output is committed.
    fn export_committed(&mut self) {
        let protocol = &self.protocol;
        for (epoch, target, reply) in self.savepoints.due(|| protocol.pending().map(CommittableId::of).collect()) {
            let work = Work { run: &self.run, options: &self.options };
            self.works.spawn(work.export(epoch, target, reply));
            self.exporting += 1;
        }
    }

    /// Answers savepoints that have waited too long for commits.
    fn give_up_savepoints(&mut self) -> Vec<Decision> {
        let oldest = self.protocol.pending().next().map(CommittableId::of);
        let epochs = self.savepoints.give_up(self.protocol.awaits_commits(), oldest.as_ref());
        epochs.into_iter().flat_map(|epoch| self.step(Fact::Unpinned(epoch))).collect()
    }

    /// Notes it, and gives what its manifest holds of output.
    fn completed(&mut self, epoch: Epoch) -> Result<BTreeSet<CommittableId>> {
        let took = self.since.remove(&epoch).map_or(Duration::ZERO, |since| since.elapsed());
        let Some(report) = self.reports.remove(&epoch) else { return Ok(BTreeSet::new()) };
        let output = report.manifest.committables().map_err(|error| {
            volley_api::Error::internal(format!("checkpoint {epoch} holds output of a sink without a name: {error}"))
        })?;
        let new_bytes = report.written_bytes + report.linked_bytes;
        let last = Some(LastEpoch { epoch, took, new_bytes, reused_bytes: report.reused_bytes, at: Instant::now() });
        self.progress.send_modify(|progress| {
            progress.completed += 1;
            progress.last = last;
        });
        Ok(output.iter().map(CommittableId::of).collect())
    }

    fn note_progress(&self) {
        let waiting = self.protocol.waiting_epochs();
        self.progress.send_if_modified(|progress| std::mem::replace(&mut progress.waiting, waiting) != waiting);
    }

    /// Lets what is under way come to its end, after which nothing depends on it: removals, and savepoints being copied. Where
    /// output is left to the next run, that run repeats removals, and nobody waits for the answers of sinks.
    async fn settle(&mut self) {
        let is_settled = self.protocol.pending().next().is_none();
        while (is_settled || self.exporting > 0)
            && let Some(outcome) = self.works.join_next().await
        {
            if matches!(outcome, Ok(Outcome::Exported(_))) {
                self.exporting -= 1;
            }
        }
    }
}

/// A fail point stands for a host that stops there.
fn stopped(error: std::io::Error) -> volley_api::Error {
    volley_api::Error::external("the coordinator was stopped").caused_by(error).retryable()
}
