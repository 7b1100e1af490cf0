//! Entries that live for so long after their last write: when that was stands before each value, in six bytes.
//!
//! An entry whose time has passed is never given out. What calls come across is removed; the backends forget the rest: state
//! in memory at snapshots and where it is full, RocksDB when it merges its files, and both when they restore.

use std::ops::RangeInclusive;

use bytes::Bytes;
use volley_api::{
    Error, KeyedState, Namespace, NodeName, Result, StateContext, StateEntry, StateKey, StateSnapshot, StateTtl,
};

/// What the time of writing takes before a value: milliseconds since 1970, the highest byte first; for 8,900 years.
const STAMP_BYTES: usize = 6;
/// The latest time that can be written.
const LATEST_MS: u64 = (1 << (8 * STAMP_BYTES)) - 1;

fn stamp(now_ms: u64) -> [u8; STAMP_BYTES] {
    let [_, _, stamp @ ..] = now_ms.min(LATEST_MS).to_be_bytes();
    stamp
}

/// When a value was written, and what it is; `None` for a value that does not say.
pub(crate) fn opened(value: &[u8]) -> Option<(u64, &[u8])> {
    let ([a, b, c, d, e, f], rest) = value.split_first_chunk::<STAMP_BYTES>()?;
    Some((u64::from_be_bytes([0, 0, *a, *b, *c, *d, *e, *f]), rest))
}

/// Whether the time of a stored value has passed. A value that does not say when it was written stays, for whoever reads it
/// to complain.
pub(crate) fn has_passed(ttl: &StateTtl, now_ms: u64, value: &[u8]) -> bool {
    opened(value).is_some_and(|(written_ms, _)| ttl.has_passed(written_ms, now_ms))
}

/// What tells the stored values whose time has passed by now; none where entries live for ever.
pub(crate) fn passed_by_now(ttl: Option<&StateTtl>) -> impl Fn(&[u8]) -> bool + use<> {
    let now = ttl.map(|ttl| (ttl.clone(), ttl.clock.now_ms()));
    move |value| now.as_ref().is_some_and(|(ttl, now_ms)| has_passed(ttl, *now_ms, value))
}

/// A state as its context wants it: with a time to live, if that is asked for. The state has the same context.
pub(crate) fn within(state: Box<dyn KeyedState>, context: &StateContext) -> Box<dyn KeyedState> {
    match &context.ttl {
        None => state,
        Some(ttl) => {
            let (node, name) = (context.node.clone(), context.name);
            Box::new(Expiring { state, ttl: ttl.clone(), node, name, removed: Vec::new() })
        }
    }
}

/// A state whose values carry when they were written.
struct Expiring {
    state: Box<dyn KeyedState>,
    ttl: StateTtl,
    node: NodeName,
    name: &'static str,
    /// What the present call has come across whose time has passed.
    removed: Vec<StateEntry>,
}

impl Expiring {
    /// The value as it was put, or `None` when its time has passed.
    fn live(&self, now_ms: u64, value: &Bytes) -> Result<Option<Bytes>> {
        let Some((written_ms, _)) = opened(value) else {
            return Err(Error::external(format!(
                "operator `{}`: a value of its state `{}` has {} bytes and no time of writing: the state is damaged",
                self.node,
                self.name,
                value.len()
            )));
        };
        Ok((!self.ttl.has_passed(written_ms, now_ms)).then(|| value.slice(STAMP_BYTES..)))
    }

    /// Removes what the call has come across.
    fn forget(&mut self) -> Result<()> {
        let removed = std::mem::take(&mut self.removed);
        for of_namespace in removed.chunk_by(|one, other| one.namespace == other.namespace) {
            let keys = of_namespace.iter().map(|entry| StateKey { group: entry.group, key: &entry.key });
            self.state.remove_many(of_namespace[0].namespace, &keys.collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

impl KeyedState for Expiring {
    fn get_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>]) -> Result<Vec<Option<Bytes>>> {
        let now_ms = self.ttl.clock.now_ms();
        let mut values = self.state.get_many(namespace, keys)?;
        let mut passed = Vec::new();
        for (value, key) in values.iter_mut().zip(keys) {
            let Some(stored) = value.take() else { continue };
            *value = self.live(now_ms, &stored)?;
            if value.is_none() {
                passed.push(*key);
            }
        }
        if !passed.is_empty() {
            self.state.remove_many(namespace, &passed)?;
        }
        Ok(values)
    }

    fn put_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>], values: &[&[u8]]) -> Result<()> {
        let stamp = stamp(self.ttl.clock.now_ms());
        let bytes = values.iter().map(|value| STAMP_BYTES + value.len()).sum();
        let (mut stored, mut ends) = (Vec::with_capacity(bytes), Vec::with_capacity(values.len()));
        for value in values {
            stored.extend_from_slice(&stamp);
            stored.extend_from_slice(value);
            ends.push(stored.len());
        }
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let stored: Vec<&[u8]> = starts.zip(&ends).map(|(start, end)| &stored[start..*end]).collect();
        self.state.put_many(namespace, keys, &stored)
    }

    fn remove_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>]) -> Result<()> {
        self.state.remove_many(namespace, keys)
    }

    fn scan(
        &mut self,
        namespaces: RangeInclusive<Namespace>,
        after: Option<&StateEntry>,
        entries_max: usize,
    ) -> Result<Vec<StateEntry>> {
        let now_ms = self.ttl.clock.now_ms();
        let mut found = Vec::new();
        let (mut after, mut asked) = (after.cloned(), entries_max);
        while found.len() < entries_max {
            let page = self.state.scan(namespaces.clone(), after.as_ref(), asked)?;
            let is_last = page.len() < asked;
            after = page.last().cloned().or(after);
            for mut entry in page {
                match self.live(now_ms, &entry.value)? {
                    Some(_) if found.len() == entries_max => break,
                    Some(value) => {
                        entry.value = value;
                        found.push(entry);
                    }
                    None => self.removed.push(entry),
                }
            }
            self.forget()?;
            if is_last {
                break;
            }
            // What has passed may be much: it is gone through in ever larger steps.
            asked = asked.saturating_mul(2);
        }
        Ok(found)
    }

    fn namespaces(&mut self) -> Result<Vec<Namespace>> {
        let mut live = Vec::new();
        for namespace in self.state.namespaces()? {
            if !self.scan(namespace..=namespace, None, 1)?.is_empty() {
                live.push(namespace);
            }
        }
        Ok(live)
    }

    fn remove_namespace(&mut self, namespace: Namespace) -> Result<()> {
        self.state.remove_namespace(namespace)
    }

    fn snapshot(&mut self) -> Result<Box<dyn StateSnapshot>> {
        self.state.snapshot()
    }

    /// With entries whose time has passed and that nothing has come across yet.
    fn len_estimate(&self) -> usize {
        self.state.len_estimate()
    }

    fn memory_bytes(&self) -> usize {
        self.state.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_is_frozen() {
        assert_eq!(stamp(0x0102_0304_0506), [1, 2, 3, 4, 5, 6]);
        assert_eq!(stamp(u64::MAX), [255; 6]);
        assert_eq!(opened(&[0, 0, 0, 0, 1, 2, 7]), Some((258, &[7_u8][..])));
        assert_eq!((opened(&[0; 6]), opened(&[0; 5])), (Some((0, &[][..])), None));
    }
}
