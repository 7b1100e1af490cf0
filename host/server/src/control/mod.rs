//! A running job seen and stopped from outside: a unix socket in the job's folder.
//!
//! Whoever may use the folder may stop the job, and nobody else: the folder is its owner's alone (0700), and so is the socket
//! (0600). One connection carries one line of JSON each way, both bounded and both with the version of the protocol.

mod client;
mod folder;
mod server;
mod wire;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use volley_api::{Clock, SystemClock};
use volley_checkpoint::coordinator::Asker;
use volley_runtime::{JobHandle, JobProgress};

pub(crate) use client::{savepoint, status, stop};
pub(crate) use server::Control;
use wire::CheckpointStatus;
pub(crate) use wire::{JobStatus, Phase};

/// What was asked of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A clean end: what was read is processed and committed.
    Drain,
    /// One last checkpoint, from which the job can go on.
    Suspend,
    /// To break off; of a job that takes checkpoints, when it is asked for the first time, as [`Asked::Suspend`].
    BreakOff,
}

/// Where the runner writes what it is at, and the control reads it. Clones are one board.
#[derive(Clone)]
pub(crate) struct Board(Arc<Mutex<Seen>>);

/// What is known of the job.
struct Seen {
    job: String,
    phase: Phase,
    /// How often it was started.
    starts: u32,
    since: Instant,
    /// Whether it takes checkpoints.
    takes_checkpoints: bool,
    /// That of the last start, also after its end.
    progress: Option<Arc<dyn Fn() -> JobProgress + Send + Sync>>,
    /// What is asked of its checkpoints, where it takes any.
    checkpoints: Option<Asker>,
}

impl Board {
    pub(crate) fn new(job: &str, takes_checkpoints: bool) -> Self {
        let (job, since) = (job.to_owned(), Instant::now());
        Self(Arc::new(Mutex::new(Seen {
            job,
            phase: Phase::Starting,
            starts: 0,
            since,
            takes_checkpoints,
            progress: None,
            checkpoints: None,
        })))
    }

    /// The job runs.
    pub(crate) fn started(&self, job: &JobHandle) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.progress = Some(Arc::new(job.watcher()));
        seen.phase = Phase::Running;
        seen.starts = seen.starts.saturating_add(1);
    }

    /// What is asked of the checkpoints of the present start.
    pub(crate) fn checkpoints(&self, asker: Option<Asker>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).checkpoints = asker;
    }

    pub(crate) fn set(&self, phase: Phase) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).phase = phase;
    }

    /// Whether a request to stop makes the job take one last checkpoint.
    fn would_suspend(&self) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.takes_checkpoints && matches!(seen.phase, Phase::Starting | Phase::Running)
    }

    /// Who can be asked for a savepoint, or why nobody can.
    fn asker(&self) -> std::result::Result<Asker, String> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (&seen.checkpoints, seen.phase) {
            _ if !seen.takes_checkpoints => {
                Err("it takes no checkpoints, of which a savepoint is one: add `checkpoint:` to its pipeline"
                    .to_owned())
            }
            (Some(asker), Phase::Running) => Ok(asker.clone()),
            (_, phase) => Err(format!("it is {}: a savepoint can be taken while it runs", phase.as_str())),
        }
    }

    /// The job as it stands.
    pub(crate) fn status(&self) -> JobStatus {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let progress = seen.progress.as_ref().map(|progress| progress());
        JobStatus {
            job: seen.job.clone(),
            phase: seen.phase,
            starts: seen.starts,
            elapsed_ms: u64::try_from(seen.since.elapsed().as_millis()).unwrap_or(u64::MAX),
            now_ms: i64::try_from(SystemClock.now_ms()).unwrap_or(i64::MAX),
            nodes: progress.map_or_else(Vec::new, |progress| progress.nodes),
            checkpoints: seen.checkpoints.as_ref().map(|asker| CheckpointStatus::of(asker.progress(), Instant::now())),
        }
    }
}
