//! How the job is to end, and how far it has come with it.

use volley_api::Epoch;

use super::{End, Settings};

/// The last epoch of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Last {
    epoch: Epoch,
    /// All tasks have finished, and it holds all that they left.
    is_final: bool,
}

/// What somebody wants, and what is there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Ending {
    /// Somebody wants it to stop after one last epoch.
    pub(super) is_stop_asked: bool,
    /// Somebody wants its sources to end.
    pub(super) is_drain_asked: bool,
    /// The last epoch, when it is complete.
    last: Option<Last>,
    /// Since when a job that somebody wants to stop waits for nothing but its commits.
    waits_since_ms: Option<u64>,
}

impl Ending {
    /// Of a job that goes on from its final epoch.
    pub(super) fn of_finished(epoch: Epoch) -> Self {
        Self { last: Some(Last { epoch, is_final: true }), ..Self::default() }
    }

    /// The last epoch of the run is complete.
    pub(super) fn completed_last(&mut self, epoch: Epoch, is_final: bool) {
        self.last = Some(Last { epoch, is_final });
    }

    /// Whether no further epoch begins.
    pub(super) fn is_last_complete(&self) -> bool {
        self.last.is_some()
    }

    /// Begins to count the time that commits have, once nothing else is left.
    pub(super) fn time_passes(&mut self, now_ms: u64) {
        if self.is_stop_asked && self.last.is_some() {
            self.waits_since_ms.get_or_insert(now_ms);
        }
    }

    /// When commits are left to the next run.
    pub(super) fn leaves_at_ms(&self, settings: &Settings) -> Option<u64> {
        self.waits_since_ms.map(|since_ms| since_ms.saturating_add(settings.stop_wait_ms))
    }

    /// How the job ends now, if it does. `waiting` epochs wait for their commits, and output may be left to be thrown away.
    pub(super) fn end(&self, is_settled: bool, waiting: usize, now_ms: u64, settings: &Settings) -> Option<End> {
        let Last { epoch, is_final } = self.last?;
        let leaves = self.leaves_at_ms(settings).is_some_and(|at_ms| at_ms <= now_ms);
        match is_settled {
            true if is_final => Some(End::Finished),
            false if !leaves => None,
            _ => Some(End::Stopped { at: epoch, waiting: u32::try_from(waiting).unwrap_or(u32::MAX) }),
        }
    }
}
