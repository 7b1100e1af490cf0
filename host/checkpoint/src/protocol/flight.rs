//! The one epoch that is being collected or stored.

use volley_api::Epoch;

use super::ManifestOrder;
use super::commits::Staged;

/// What is being waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// Tasks that have neither passed nor finished.
    Collecting,
    /// The store, for the data.
    Storing,
    /// The time to store the data again.
    StoreAgain { not_before_ms: u64 },
    /// The store, for the manifest.
    Writing,
    /// The time to write the manifest again.
    WriteAgain { not_before_ms: u64 },
}

/// An epoch that has begun and is neither complete nor abandoned.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct InFlight {
    pub(super) epoch: Epoch,
    pub(super) began_ms: u64,
    pub(super) phase: Phase,
    /// Whether it is the last before the job stops.
    pub(super) is_last: bool,
    pub(super) is_savepoint: bool,
    /// Whether somebody waits for it, who is given the next if it fails.
    pub(super) was_asked: bool,
    /// Vain tries to store its data or to write its manifest.
    pub(super) tries: u32,
    pub(super) last_problem: Option<String>,
    manifest: Option<Manifest>,
}

/// The manifest as it was first ordered: the same is ordered again, since the first may have arrived.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Manifest {
    pending: Vec<Staged>,
    is_final: bool,
}

impl InFlight {
    pub(super) fn new(epoch: Epoch, began_ms: u64) -> Self {
        Self {
            epoch,
            began_ms,
            phase: Phase::Collecting,
            is_last: false,
            is_savepoint: false,
            was_asked: false,
            tries: 0,
            last_problem: None,
            manifest: None,
        }
    }

    /// Notes what goes into the manifest.
    pub(super) fn fix_manifest(&mut self, pending: Vec<Staged>, is_final: bool) {
        self.manifest = Some(Manifest { pending, is_final });
        self.phase = Phase::Writing;
        self.tries = 0;
    }

    /// The manifest; none before it is known.
    pub(super) fn order(&self) -> Option<ManifestOrder> {
        let manifest = self.manifest.as_ref()?;
        Some(ManifestOrder {
            epoch: self.epoch,
            pending: manifest.pending.iter().map(|staged| staged.0.clone()).collect(),
            is_final: manifest.is_final,
            is_savepoint: self.is_savepoint,
        })
    }

    /// When there is something to do although nothing is reported.
    pub(super) fn wake_at_ms(&self, timeout_ms: u64) -> u64 {
        let deadline_ms = self.began_ms.saturating_add(timeout_ms);
        match self.phase {
            Phase::StoreAgain { not_before_ms } | Phase::WriteAgain { not_before_ms } => deadline_ms.min(not_before_ms),
            Phase::Collecting | Phase::Storing | Phase::Writing => deadline_ms,
        }
    }
}
