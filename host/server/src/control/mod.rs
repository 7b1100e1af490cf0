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

pub(crate) use client::{status, stop};
pub(crate) use server::Control;
pub(crate) use wire::{JobStatus, Phase};

/// What was asked of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A clean end: what was read is processed and committed.
    Drain,
    /// One last checkpoint, from which the job can go on.
    Suspend,
    /// To break off: nothing becomes visible.
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
    /// That of the last start, also after its end.
    progress: Option<Arc<dyn Fn() -> JobProgress + Send + Sync>>,
    /// What is asked of its checkpoints, where it takes any.
    checkpoints: Option<Asker>,
}

impl Board {
    pub(crate) fn new(job: &str) -> Self {
        let (job, since) = (job.to_owned(), Instant::now());
        Self(Arc::new(Mutex::new(Seen {
            job,
            phase: Phase::Starting,
            starts: 0,
            since,
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
        }
    }
}
