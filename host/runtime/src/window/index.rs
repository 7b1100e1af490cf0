//! Which namespaces a state has entries of: all of them, or the first so many, and the others found when they are asked for.

use std::collections::BTreeSet;

use volley_api::Result;

use crate::keyed::StateSlot;

/// The namespaces that a state has entries of, in order.
pub(crate) struct Index {
    /// All before the horizon.
    known: BTreeSet<i64>,
    /// From here on there may be others, which only the state knows. `None` where all are known.
    horizon: Option<i64>,
    known_max: usize,
}

impl Index {
    /// Of what a state has; at most so many are kept in memory.
    pub(crate) fn new(slot: &mut StateSlot, known_max: usize) -> Result<Self> {
        let mut index = Self { known: BTreeSet::new(), horizon: None, known_max };
        if known_max == usize::MAX {
            index.known = slot.namespaces()?.into_iter().collect();
        } else {
            index.horizon = Some(i64::MIN);
            index.refill(slot)?;
        }
        Ok(index)
    }

    /// Whether the state has entries of a namespace.
    pub(crate) fn contains(&self, slot: &mut StateSlot, namespace: i64) -> Result<bool> {
        if self.is_unknown(namespace) {
            return Ok(slot.first_namespace(namespace, namespace)?.is_some());
        }
        Ok(self.known.contains(&namespace))
    }

    /// The first namespace from there on.
    pub(crate) fn next(&mut self, slot: &mut StateSlot, from: i64) -> Result<Option<i64>> {
        if self.known.is_empty() {
            self.refill(slot)?;
        }
        if let Some(known) = self.known.range(from..).next() {
            return Ok(Some(*known));
        }
        match self.horizon {
            Some(horizon) => slot.first_namespace(horizon.max(from), i64::MAX),
            None => Ok(None),
        }
    }

    /// Takes note of entries.
    pub(crate) fn insert(&mut self, namespace: i64) {
        if self.is_unknown(namespace) {
            return;
        }
        self.known.insert(namespace);
        if self.known.len() > self.known_max {
            // The latest are wanted last.
            self.horizon = self.known.pop_last();
        }
    }

    /// Takes note that a namespace is to be removed: whether the state may have entries of it.
    pub(crate) fn remove(&mut self, namespace: i64) -> bool {
        self.is_unknown(namespace) || self.known.remove(&namespace)
    }

    fn is_unknown(&self, namespace: i64) -> bool {
        self.horizon.is_some_and(|horizon| namespace >= horizon)
    }

    /// Looks for those behind the horizon, as many as are kept.
    fn refill(&mut self, slot: &mut StateSlot) -> Result<()> {
        let Some(mut from) = self.horizon else { return Ok(()) };
        while let Some(found) = slot.first_namespace(from, i64::MAX)? {
            if self.known.len() == self.known_max {
                self.horizon = Some(found);
                return Ok(());
            }
            self.known.insert(found);
            let Some(next) = found.checked_add(1) else { break };
            from = next;
        }
        self.horizon = None;
        Ok(())
    }
}
