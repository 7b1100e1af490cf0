//! Where the system has no unix sockets: the same surface, which says so.

use std::path::Path;
use std::time::Duration;

use volley_api::{Error, Result};
use volley_checkpoint::coordinator::Asker;
use volley_runtime::JobHandle;

/// What would be asked of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A clean end.
    Drain,
    /// One last checkpoint.
    Suspend,
    /// To break off.
    BreakOff,
}

/// What a job is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its parts are opened.
    Starting,
    /// What was read is processed and committed.
    Draining,
    /// What was not committed is thrown away.
    BreakingOff,
    /// It failed, and waits for its next start.
    Waiting,
}

/// Nobody looks at it.
#[derive(Clone)]
pub(crate) struct Board;

impl Board {
    pub(crate) fn new(_job: &str, _takes_checkpoints: bool) -> Self {
        Self
    }

    pub(crate) fn started(&self, _job: &JobHandle) {}

    pub(crate) fn checkpoints(&self, _asker: Option<Asker>) {}

    pub(crate) fn set(&self, _phase: Phase) {}
}

/// There is none.
pub(crate) enum Control {}

impl Control {
    pub(crate) async fn listen(_folder: &Path, _board: Board) -> Result<Self> {
        Err(absent())
    }

    pub(crate) async fn settle(&self) {
        match *self {}
    }

    pub(crate) async fn next(&mut self) -> Asked {
        match *self {}
    }
}

pub(crate) async fn savepoint(_folder: &Path, _target: &str, _within: Duration, _json: bool) -> Result<()> {
    Err(absent())
}

pub(crate) async fn status(_folder: &Path, _json: bool) -> Result<()> {
    Err(absent())
}

pub(crate) async fn stop(_folder: &Path, _drain: bool, _json: bool) -> Result<()> {
    Err(absent())
}

fn absent() -> Error {
    Error::config("jobs are seen and stopped from outside over unix sockets, which this system does not have")
}
