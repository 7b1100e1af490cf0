//! The suite of a time to live catches what it is for: each broken promise fails it.

use std::ops::RangeInclusive;

use bytes::Bytes;
use volley_api::{KeyedState, Namespace, Result, StateBackend, StateContext, StateEntry, StateKey, StateSnapshot};
use volley_state::MemoryBackend;
use volley_test_contract::keyed_state_ttl_contract;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// Entries live for ever.
    None,
    /// They live a millisecond too long.
    TooLong,
    /// A look at an entry is a write.
    ReadingCounts,
    /// Scans give what has gone.
    ScansShowAll,
    /// What is restored is as if it had just been written.
    RestoredAnew,
    /// Values with and without a time of writing are not told apart.
    OneLayout,
    /// Entries go where nobody asked for it.
    AllExpire,
}

#[derive(Debug)]
struct Broken(MemoryBackend, Fault);

impl StateBackend for Broken {
    fn label(&self) -> String {
        self.0.label()
    }

    fn format(&self) -> &'static str {
        self.0.format()
    }

    fn open(&self, mut context: StateContext) -> Result<Box<dyn KeyedState>> {
        let wanted = context.stored_layout();
        match (self.1, &mut context.ttl) {
            (Fault::None, ttl) => *ttl = None,
            (Fault::TooLong, Some(ttl)) => ttl.ms = ttl.ms.saturating_add(1),
            _ => {}
        }
        if matches!(self.1, Fault::None | Fault::OneLayout) {
            let layout = context.stored_layout();
            let is_one = self.1 == Fault::OneLayout;
            context
                .restored
                .iter_mut()
                .filter(|part| is_one || part.layout == wanted)
                .for_each(|part| part.layout = layout.clone());
        }
        let (restored, has_ttl) = (!context.restored.is_empty(), context.ttl.is_some());
        let mut state = self.0.open(context)?;
        if self.1 == Fault::RestoredAnew && restored {
            for entry in state.scan(Namespace(i64::MIN)..=Namespace(i64::MAX), None, usize::MAX)? {
                let key = StateKey { group: entry.group, key: &entry.key };
                state.put_many(entry.namespace, &[key], &[&entry.value])?;
            }
        }
        Ok(Box::new(BrokenState { state, fault: self.1, has_ttl, seen: Vec::new() }))
    }
}

struct BrokenState {
    state: Box<dyn KeyedState>,
    fault: Fault,
    has_ttl: bool,
    /// What was put last.
    seen: Vec<StateEntry>,
}

impl KeyedState for BrokenState {
    fn get_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>]) -> Result<Vec<Option<Bytes>>> {
        let found = self.state.get_many(namespace, keys)?;
        if self.fault == Fault::ReadingCounts {
            for (key, value) in keys.iter().zip(&found) {
                if let Some(value) = value {
                    self.state.put_many(namespace, &[*key], &[value])?;
                }
            }
        }
        if self.fault == Fault::AllExpire && !self.has_ttl {
            return Ok(vec![None; keys.len()]);
        }
        Ok(found)
    }

    fn put_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>], values: &[&[u8]]) -> Result<()> {
        for (key, value) in keys.iter().zip(values) {
            self.seen.retain(|entry| entry.namespace != namespace || entry.key != key.key || entry.group != key.group);
            self.seen.push(StateEntry {
                group: key.group,
                namespace,
                key: Bytes::copy_from_slice(key.key),
                value: Bytes::copy_from_slice(value),
            });
        }
        self.state.put_many(namespace, keys, values)
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
        if self.fault != Fault::ScansShowAll {
            return self.state.scan(namespaces, after, entries_max);
        }
        let place = |entry: &StateEntry| (entry.namespace, entry.group, entry.key.clone());
        self.seen.sort_unstable_by_key(place);
        let wanted = self.seen.iter().filter(|entry| namespaces.contains(&entry.namespace));
        let behind = wanted.filter(|entry| after.is_none_or(|after| place(entry) > place(after)));
        Ok(behind.take(entries_max).cloned().collect())
    }

    fn namespaces(&mut self) -> Result<Vec<Namespace>> {
        self.state.namespaces()
    }

    fn remove_namespace(&mut self, namespace: Namespace) -> Result<()> {
        self.state.remove_namespace(namespace)
    }

    fn snapshot(&mut self) -> Result<Box<dyn StateSnapshot>> {
        self.state.snapshot()
    }

    fn len_estimate(&self) -> usize {
        self.state.len_estimate()
    }

    fn memory_bytes(&self) -> usize {
        self.state.memory_bytes()
    }
}

fn check(fault: Fault) {
    keyed_state_ttl_contract(&Broken(MemoryBackend::new(usize::MAX), fault));
}

#[test]
#[should_panic(expected = "an entry is gone when its time has passed")]
fn a_time_to_live_must_not_be_ignored() {
    check(Fault::None);
}

#[test]
#[should_panic(expected = "an entry is gone when its time has passed")]
fn nothing_may_live_too_long() {
    check(Fault::TooLong);
}

#[test]
#[should_panic(expected = "an entry is gone when its time has passed")]
fn reading_must_not_count() {
    check(Fault::ReadingCounts);
}

#[test]
#[should_panic(expected = "an entry is gone when its time has passed")]
fn scans_must_not_show_what_has_gone() {
    check(Fault::ScansShowAll);
}

#[test]
#[should_panic(expected = "what is restored is as old as it was")]
fn restores_must_not_make_young() {
    check(Fault::RestoredAnew);
}

#[test]
#[should_panic(expected = "a part was taken whose values are told apart by a time of writing")]
fn layouts_must_be_told_apart() {
    check(Fault::OneLayout);
}

#[test]
#[should_panic(expected = "without a time to live all stays")]
fn other_states_must_keep_all() {
    check(Fault::AllExpire);
}
