//! When the next epoch begins, and under which id.

use volley_api::Epoch;

use super::Settings;
use super::planted::{Planted, PlantedBug};

/// The beginnings and ends of epochs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Schedule {
    next: Epoch,
    /// The newest epoch of this run.
    pub(super) begun: Option<Epoch>,
    last_began_ms: u64,
    last_ended_ms: u64,
    /// How many epochs have failed since one was complete.
    pub(super) failures: u32,
    /// Somebody waits for an epoch.
    pub(super) is_asked: bool,
    /// Somebody waits for a savepoint.
    pub(super) is_savepoint_asked: bool,
}

impl Schedule {
    pub(super) fn new(next: Epoch) -> Self {
        Self {
            next,
            begun: None,
            last_began_ms: 0,
            last_ended_ms: 0,
            failures: 0,
            is_asked: false,
            is_savepoint_asked: false,
        }
    }

    /// Counts the interval from now.
    pub(super) fn starts(&mut self, now_ms: u64) {
        self.last_began_ms = now_ms;
    }

    /// When an epoch may begin, if nothing else speaks against it. An urgent one waits for no interval.
    pub(super) fn due_ms(&self, is_urgent: bool, settings: &Settings) -> u64 {
        // Whatever made the last one fail may last.
        let after_failure_ms = match self.failures {
            0 => 0,
            failures => self.last_ended_ms.saturating_add(settings.retry_pause_ms(failures)),
        };
        if is_urgent {
            return after_failure_ms;
        }
        let by_interval_ms = self.last_began_ms.saturating_add(settings.interval_ms);
        let by_pause_ms = self.last_ended_ms.saturating_add(settings.min_pause_ms);
        by_interval_ms.max(by_pause_ms).max(after_failure_ms)
    }

    /// Begins an epoch and gives its id.
    pub(super) fn begin(&mut self, now_ms: u64) -> Epoch {
        let epoch = self.next;
        self.next = Epoch(epoch.0.saturating_add(1));
        self.begun = Some(epoch);
        self.last_began_ms = now_ms;
        epoch
    }

    pub(super) fn completed(&mut self, now_ms: u64) {
        self.last_ended_ms = now_ms;
        self.failures = 0;
    }

    pub(super) fn abandoned(&mut self, epoch: Epoch, now_ms: u64, planted: Planted) {
        self.last_ended_ms = now_ms;
        self.failures = self.failures.saturating_add(1);
        if planted.is(PlantedBug::ReuseEpoch) {
            self.next = epoch;
        }
    }

    pub(super) fn next(&self) -> Epoch {
        self.next
    }
}
