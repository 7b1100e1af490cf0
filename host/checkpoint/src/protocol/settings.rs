//! What the protocol is told at its start: how it is to work, and what a restore has found.

use std::collections::BTreeSet;

use volley_api::{Committable, Epoch};

use super::StartError;

/// The fewest complete epochs that may be kept: one to go on from, one to rebuild that from, one in reserve.
pub(super) const RETAIN_MIN: u32 = 3;

/// How often, how long and how many.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Settings {
    /// From the beginning of one epoch to that of the next, in milliseconds; 0: the next begins when the last has ended.
    pub interval_ms: u64,
    /// At least this long between the end of an epoch and the beginning of the next, in milliseconds. Default: 0.
    pub min_pause_ms: u64,
    /// An epoch that is not complete after this many milliseconds is abandoned. Default: 10 minutes.
    pub timeout_ms: u64,
    /// So many epochs in a row may fail; one more fails the job. Default: 3.
    pub tolerable_failures: u32,
    /// So many complete epochs may wait for their commits; then sources pause. The last of a run may be one more. At least 1;
    /// default: 3.
    pub pending_epochs_max: u32,
    /// So many complete epochs are kept, not counting savepoints. At least 3, the default.
    pub retain: u32,
    /// So many times a committable is committed that the outside system keeps calling not committed; then the job fails,
    /// with its committables kept. Outages do not count. At least 1; default: 10.
    pub commit_attempts_max: u32,
    /// When a job is to stop, its output has this long to be committed after the last epoch, in milliseconds; what is not is
    /// left to the next run. Default: 10 s.
    pub stop_wait_ms: u64,
    /// The first pause before anything is tried again, in milliseconds; it doubles with each try. Default: 100.
    pub retry_pause_ms: u64,
    /// The longest such pause, in milliseconds. Default: 30 s.
    pub retry_pause_ms_max: u64,
}

impl Settings {
    /// An epoch every so many milliseconds, and the defaults.
    #[must_use]
    pub fn every(interval_ms: u64) -> Self {
        Self {
            interval_ms,
            min_pause_ms: 0,
            timeout_ms: 10 * 60 * 1_000,
            tolerable_failures: 3,
            pending_epochs_max: 3,
            retain: RETAIN_MIN,
            commit_attempts_max: 10,
            stop_wait_ms: 10_000,
            retry_pause_ms: 100,
            retry_pause_ms_max: 30_000,
        }
    }

    /// Refuses settings that contradict themselves.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        if self.retain < RETAIN_MIN {
            return Err(StartError::Retain { retain: self.retain });
        }
        let at_least_one = [
            ("timeout_ms", self.timeout_ms),
            ("pending_epochs_max", self.pending_epochs_max.into()),
            ("commit_attempts_max", self.commit_attempts_max.into()),
        ];
        match at_least_one.into_iter().find(|(_, value)| *value == 0) {
            Some((setting, _)) => Err(StartError::Zero { setting }),
            None => Ok(()),
        }
    }

    /// How long to wait before the try after `tries` vain ones.
    pub(super) fn retry_pause_ms(&self, tries: u32) -> u64 {
        let doublings = tries.saturating_sub(1).min(32);
        self.retry_pause_ms.saturating_mul(1 << doublings).min(self.retry_pause_ms_max)
    }
}

/// What is in the store when a run begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The first epoch of this run: above every id in the store, complete or not.
    pub next_epoch: Epoch,
    /// Complete epochs other than savepoints.
    pub complete: BTreeSet<Epoch>,
    /// Complete epochs that a user asked for by name, which only a user removes.
    pub savepoints: BTreeSet<Epoch>,
    /// Complete epochs, of those above, that somebody needs until [`super::Fact::Unpinned`].
    pub pinned: BTreeSet<Epoch>,
    /// Epochs that were begun and never complete. They are removed once an epoch of this run is complete.
    pub incomplete: BTreeSet<Epoch>,
    /// The checkpoint that the job goes on from; none at a job's first start.
    pub restored: Option<Restored>,
}

impl Found {
    /// An empty store: epochs begin at 1.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            next_epoch: Epoch(1),
            complete: BTreeSet::new(),
            savepoints: BTreeSet::new(),
            pinned: BTreeSet::new(),
            incomplete: BTreeSet::new(),
            restored: None,
        }
    }

    pub(super) fn check(&self) -> Result<(), StartError> {
        let ids = [&self.complete, &self.savepoints, &self.pinned, &self.incomplete].into_iter().flatten().copied();
        let restored = self.restored.iter().flat_map(|r| r.pending.iter().map(|c| c.epoch).chain([r.epoch]));
        match ids.chain(restored).max() {
            Some(highest) if highest >= self.next_epoch => {
                Err(StartError::EpochWouldBeReused { next: self.next_epoch, highest })
            }
            _ => Ok(()),
        }
    }
}

/// The checkpoint that a job goes on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Its epoch.
    pub epoch: Epoch,
    /// What its manifest holds: the committables of every epoch that was not known committed.
    pub pending: Vec<Committable>,
    /// Whether the job had finished with it: no task runs then, and the job is done when `pending` is settled.
    pub is_final: bool,
}
