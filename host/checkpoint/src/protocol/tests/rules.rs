//! The rules that every decision is checked against, by books of their own that know nothing of the machine's.

use std::collections::{BTreeMap, BTreeSet};

use volley_api::{Committable, Epoch};

use super::outside::{Checked, Store, ensure};
use crate::protocol::commits::Staged;
use crate::protocol::{CommittableId, Decision, Found, ManifestOrder, Settings};

/// What the rules need to know of a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Rules {
    in_flight: Option<Epoch>,
    newest: Option<Epoch>,
    /// Prepared or restored, and not known committed.
    owed: BTreeSet<CommittableId>,
    restored: BTreeSet<CommittableId>,
    /// By the first manifest known complete that holds it.
    held: BTreeMap<CommittableId, Epoch>,
    /// To be looked up before anything else.
    unknown: BTreeSet<CommittableId>,
    committing: BTreeSet<CommittableId>,
    complete: BTreeSet<Epoch>,
    savepoints: BTreeSet<Epoch>,
    /// The next epoch is the last, and begins however many wait.
    pub(super) is_last_wanted: bool,
    /// How many waited when the epoch in flight began.
    waited: usize,
}

impl Rules {
    pub(super) fn at_start(found: &Found) -> Self {
        let pending = found.restored.iter().flat_map(|restored| &restored.pending).map(CommittableId::of);
        let pending: BTreeSet<CommittableId> = pending.collect();
        let epoch = found.restored.as_ref().map_or(Epoch(0), |restored| restored.epoch);
        Self {
            held: pending.iter().map(|id| (id.clone(), epoch)).collect(),
            unknown: pending.clone(),
            restored: pending.clone(),
            owed: pending,
            complete: found.complete.clone(),
            savepoints: found.savepoints.clone(),
            ..Self::default()
        }
    }

    pub(super) fn prepared(&mut self, output: &[Committable]) {
        self.owed.extend(output.iter().map(CommittableId::of));
    }

    /// The protocol is about to learn that a manifest is complete.
    pub(super) fn written(&mut self, epoch: Epoch, pending: &[Staged]) {
        // It ignores what was abandoned.
        if self.in_flight == Some(epoch) {
            for staged in pending {
                self.held.entry(CommittableId::of(&staged.0)).or_insert(epoch);
            }
            self.complete.insert(epoch);
        }
    }

    pub(super) fn known_committed(&mut self, id: &CommittableId) {
        self.owed.remove(id);
        self.restored.remove(id);
        self.committing.remove(id);
    }

    pub(super) fn lost(&mut self, id: &CommittableId) {
        self.committing.remove(id);
        self.unknown.insert(id.clone());
    }

    pub(super) fn looked_up(&mut self, id: &CommittableId, is_committed: bool) {
        self.unknown.remove(id);
        if is_committed {
            self.known_committed(id);
        }
    }

    /// How many complete epochs wait for commits.
    pub(super) fn waiting(&self) -> usize {
        let epoch =
            |id: &CommittableId| if self.restored.contains(id) { Some(id.epoch) } else { self.held.get(id).copied() };
        self.owed.iter().filter_map(epoch).collect::<BTreeSet<_>>().len()
    }

    pub(super) fn check(&mut self, decision: &Decision, store: &Store, settings: &Settings) -> Checked {
        match decision {
            Decision::InjectBarrier { epoch } => self.check_beginning(*epoch, store, settings),
            Decision::StoreParts { epoch } if self.in_flight != Some(*epoch) => {
                self.check_beginning(*epoch, store, settings)
            }
            Decision::WriteManifest(order) => self.check_manifest(order),
            Decision::Completed { epoch, is_savepoint, .. } => {
                ensure!(
                    self.in_flight == Some(*epoch),
                    "epoch {epoch} is complete, and {:?} in flight",
                    self.in_flight
                );
                ensure!(store.manifests.contains_key(epoch), "epoch {epoch} is complete, and has no manifest");
                let most = (settings.pending_epochs_max as usize).max(self.waited + 1);
                ensure!(self.waiting() <= most, "{} epochs wait", self.waiting());
                self.in_flight = None;
                if *is_savepoint {
                    self.savepoints.insert(*epoch);
                    self.complete.remove(epoch);
                }
                Ok(())
            }
            Decision::Abandon { epoch, .. } => {
                ensure!(self.in_flight == Some(*epoch), "epoch {epoch} is abandoned, and was not in flight");
                self.in_flight = None;
                Ok(())
            }
            Decision::Commit(output) => self.check_commit(&CommittableId::of(output), store),
            Decision::LookUp(output) => {
                let id = CommittableId::of(output);
                ensure!(self.unknown.contains(&id), "{id} is looked up without need");
                Ok(())
            }
            Decision::Abort(output) => {
                let id = CommittableId::of(output);
                let mut manifests = store.manifests.iter();
                let holder = manifests.find(|(_, m)| m.pending.iter().any(|staged| staged.0 == *output));
                ensure!(holder.is_none(), "{id} is aborted, and a manifest holds it");
                self.owed.remove(&id);
                Ok(())
            }
            Decision::Remove { epochs } => epochs.iter().try_for_each(|epoch| self.check_removal(*epoch, settings)),
            _ => Ok(()),
        }
    }

    fn check_beginning(&mut self, epoch: Epoch, store: &Store, settings: &Settings) -> Checked {
        ensure!(self.in_flight.is_none(), "epoch {epoch} begins while {:?} is in flight", self.in_flight);
        ensure!(self.newest < Some(epoch), "epoch {epoch} begins after {:?}", self.newest);
        ensure!(store.ids.last() < Some(&epoch), "epoch {epoch} begins, and the store has {:?}", store.ids.last());
        self.waited = self.waiting();
        let is_free = self.waited < settings.pending_epochs_max as usize;
        ensure!(is_free || self.is_last_wanted, "an epoch begins while {} wait", self.waited);
        (self.in_flight, self.newest) = (Some(epoch), Some(epoch));
        Ok(())
    }

    fn check_manifest(&self, order: &ManifestOrder) -> Checked {
        let epoch = order.epoch;
        ensure!(self.in_flight == Some(epoch), "manifest {epoch} while {:?} is in flight", self.in_flight);
        let pending: BTreeSet<CommittableId> = order.pending.iter().map(CommittableId::of).collect();
        let missing = self.owed.iter().find(|id| id.epoch <= epoch && !pending.contains(id));
        ensure!(missing.is_none(), "manifest {epoch} does not hold {missing:?}");
        let later = pending.iter().find(|id| id.epoch > epoch);
        ensure!(later.is_none(), "manifest {epoch} holds {later:?}");
        Ok(())
    }

    fn check_commit(&mut self, id: &CommittableId, store: &Store) -> Checked {
        let mut manifests = store.manifests.values().flat_map(|manifest| &manifest.pending);
        let is_in_store = manifests.any(|staged| CommittableId::of(&staged.0) == *id);
        ensure!(is_in_store && self.held.contains_key(id), "{id} is committed, and no complete manifest holds it");
        ensure!(!self.unknown.contains(id), "{id} is committed, and was to be looked up");
        let older = self.owed.iter().find(|other| other.sink == id.sink && other.epoch < id.epoch);
        ensure!(older.is_none(), "{id} is committed before {older:?}");
        let restored = self.restored.first().filter(|_| !self.restored.contains(id));
        ensure!(restored.is_none(), "{id} is committed before the restored {restored:?}");
        ensure!(self.committing.insert(id.clone()), "{id} is committed while it is being committed");
        Ok(())
    }

    fn check_removal(&mut self, epoch: Epoch, settings: &Settings) -> Checked {
        let is_needed = |id: &&CommittableId| id.epoch == epoch || self.held.get(id) == Some(&epoch);
        let owed = self.owed.iter().find(is_needed);
        ensure!(owed.is_none(), "epoch {epoch} is removed, and {owed:?} needs it");
        let retained = self.complete.iter().rev().take(settings.retain as usize);
        ensure!(!retained.copied().any(|kept| kept == epoch), "epoch {epoch} is removed, and one of the newest");
        ensure!(!self.savepoints.contains(&epoch), "savepoint {epoch} is removed");
        let newest = self.complete.last().max(self.savepoints.last());
        ensure!(newest > Some(&epoch), "epoch {epoch} is removed, and none above it is complete");
        Ok(())
    }
}
