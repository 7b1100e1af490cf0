//! Which epochs stay in the store.

use std::collections::{BTreeMap, BTreeSet};

use volley_api::Epoch;

use super::Found;

/// What is in the store, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Retention {
    complete: BTreeSet<Epoch>,
    savepoints: BTreeSet<Epoch>,
    /// Epochs that are being copied, and how often at a time.
    pinned: BTreeMap<Epoch, u32>,
    /// Begun, and not complete as far as is known.
    debris: BTreeSet<Epoch>,
    /// What the job went on from, until it has a complete epoch of its own.
    restored: Option<Epoch>,
    /// Epochs whose removal is under way.
    removing: BTreeSet<Epoch>,
    /// Nothing is removed until a further epoch is complete: at the start, and after a removal has failed.
    is_resting: bool,
}

impl Retention {
    pub(super) fn new(found: &Found) -> Self {
        Self {
            complete: found.complete.difference(&found.savepoints).copied().collect(),
            savepoints: found.savepoints.clone(),
            pinned: found.pinned.iter().map(|epoch| (*epoch, 1)).collect(),
            debris: found.incomplete.clone(),
            restored: found.restored.as_ref().map(|restored| restored.epoch),
            removing: BTreeSet::new(),
            is_resting: true,
        }
    }

    pub(super) fn completed(&mut self, epoch: Epoch, is_savepoint: bool) {
        if is_savepoint {
            self.savepoints.insert(epoch);
        } else {
            self.complete.insert(epoch);
        }
        self.restored = None;
        self.is_resting = false;
    }

    pub(super) fn abandoned(&mut self, epoch: Epoch) {
        self.debris.insert(epoch);
    }

    pub(super) fn pin(&mut self, epoch: Epoch) {
        *self.pinned.entry(epoch).or_default() += 1;
    }

    pub(super) fn unpin(&mut self, epoch: Epoch) {
        if let Some(count) = self.pinned.get_mut(&epoch) {
            *count -= 1;
            self.pinned.retain(|_, count| *count > 0);
        }
    }

    /// What to remove now; nothing while a removal is under way. `needed` are the epochs that commits wait for.
    pub(super) fn remove(&mut self, retain: u32, needed: &BTreeSet<Epoch>) -> Vec<Epoch> {
        if self.is_resting || !self.removing.is_empty() {
            return Vec::new();
        }
        // What is not complete and above all that is may be another's, or complete after all: it stays.
        let newest = self.complete.last().max(self.savepoints.last()).copied();
        let below_newest = self.debris.iter().filter(|epoch| Some(**epoch) < newest);
        let retain = usize::try_from(retain).unwrap_or(usize::MAX);
        let beyond_retained = self.complete.iter().rev().skip(retain);
        let is_free = |epoch: &&Epoch| {
            !needed.contains(epoch) && !self.pinned.contains_key(epoch) && self.restored.as_ref() != Some(*epoch)
        };
        self.removing = below_newest.chain(beyond_retained).filter(is_free).copied().collect();
        // A removal that was begun leaves nothing to go on from.
        self.complete.retain(|epoch| !self.removing.contains(epoch));
        self.debris.extend(&self.removing);
        self.removing.iter().copied().collect()
    }

    pub(super) fn cleaned_up(&mut self, is_complete: bool) {
        let removed = std::mem::take(&mut self.removing);
        if is_complete {
            self.debris.retain(|epoch| !removed.contains(epoch));
        } else {
            self.is_resting = true;
        }
    }
}
