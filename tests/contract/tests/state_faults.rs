//! The suite of keyed state catches what it is for: each broken promise fails it.

use std::ops::RangeInclusive;

use bytes::Bytes;
use volley_api::{
    KeyGroup, KeyedState, Namespace, Result, StateBackend, StateContext, StateEntry, StateKey, StateSnapshot,
};
use volley_state::MemoryBackend;
use volley_test_contract::keyed_state_contract;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    FirstValueStays,
    OneNamespace,
    TakesForeignKeys,
    WritesBeforeItRefuses,
    ScansFromTheStart,
    ScansBackwards,
    ForgetsKeyGroup,
    RemovesTooLittle,
}

struct BrokenState(Box<dyn KeyedState>, Fault);

impl BrokenState {
    fn namespace(&self, namespace: Namespace) -> Namespace {
        if self.1 == Fault::OneNamespace { Namespace(0) } else { namespace }
    }

    fn keys<'a>(&self, keys: &[StateKey<'a>]) -> Vec<StateKey<'a>> {
        let own = |key: &StateKey<'a>| match self.1 {
            Fault::ForgetsKeyGroup if (64..128).contains(&key.group.0) => StateKey { group: KeyGroup(64), ..*key },
            Fault::TakesForeignKeys => StateKey { group: KeyGroup(64 + key.group.0 % 64), ..*key },
            _ => *key,
        };
        keys.iter().map(own).collect()
    }
}

impl KeyedState for BrokenState {
    fn get_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>]) -> Result<Vec<Option<Bytes>>> {
        let keys = self.keys(keys);
        self.0.get_many(self.namespace(namespace), &keys)
    }

    fn put_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>], values: &[&[u8]]) -> Result<()> {
        let (mut keys, mut values) = (self.keys(keys), values.to_vec());
        match self.1 {
            Fault::FirstValueStays => {
                keys.reverse();
                values.reverse();
            }
            Fault::WritesBeforeItRefuses => {
                return keys
                    .iter()
                    .zip(values)
                    .try_for_each(|(key, value)| self.0.put_many(namespace, &[*key], &[value]));
            }
            _ => {}
        }
        self.0.put_many(self.namespace(namespace), &keys, &values)
    }

    fn remove_many(&mut self, namespace: Namespace, keys: &[StateKey<'_>]) -> Result<()> {
        let keys = self.keys(keys);
        self.0.remove_many(self.namespace(namespace), &keys)
    }

    fn scan(
        &mut self,
        namespaces: RangeInclusive<Namespace>,
        after: Option<&StateEntry>,
        entries_max: usize,
    ) -> Result<Vec<StateEntry>> {
        // Where an entry has gone, the start is all that is left to go on from.
        let gone = |state: &mut dyn KeyedState, after: &StateEntry| {
            let key = StateKey { group: after.group, key: &after.key };
            Ok::<_, volley_api::Error>(state.get_many(after.namespace, &[key])?[0].is_none())
        };
        let after = match after {
            Some(entry) if self.1 == Fault::ScansFromTheStart && gone(&mut *self.0, entry)? => None,
            after => after,
        };
        let mut entries = self.0.scan(namespaces, after, entries_max)?;
        if self.1 == Fault::ScansBackwards {
            entries.reverse();
        }
        Ok(entries)
    }

    fn namespaces(&mut self) -> Result<Vec<Namespace>> {
        self.0.namespaces()
    }

    fn remove_namespace(&mut self, namespace: Namespace) -> Result<()> {
        if self.1 != Fault::RemovesTooLittle {
            return self.0.remove_namespace(namespace);
        }
        let first = self.0.scan(namespace..=namespace, None, 1)?;
        first.iter().try_for_each(|e| self.0.remove_many(namespace, &[StateKey { group: e.group, key: &e.key }]))
    }

    fn snapshot(&mut self) -> Result<Box<dyn StateSnapshot>> {
        self.0.snapshot()
    }

    fn len_estimate(&self) -> usize {
        self.0.len_estimate()
    }

    fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }
}

fn check(fault: Fault) {
    let backend = MemoryBackend::new(usize::MAX);
    let open = |context: StateContext| backend.open(context).expect("opens");
    keyed_state_contract(|context| Box::new(BrokenState(open(context), fault)));
}

#[test]
#[should_panic(expected = "values in the order of the keys")]
fn of_a_repeated_key_the_last_value_must_stay() {
    check(Fault::FirstValueStays);
}

#[test]
#[should_panic(expected = "namespaces are apart")]
fn namespaces_must_be_apart() {
    check(Fault::OneNamespace);
}

#[test]
#[should_panic(expected = "values in the order of the keys")]
fn key_groups_must_be_apart() {
    check(Fault::ForgetsKeyGroup);
}

#[test]
#[should_panic(expected = "a key of the foreign key group 0 was taken")]
fn foreign_keys_must_be_refused() {
    check(Fault::TakesForeignKeys);
}

#[test]
#[should_panic(expected = "nothing of a refused batch is written")]
fn a_refused_batch_must_leave_nothing() {
    check(Fault::WritesBeforeItRefuses);
}

#[test]
#[should_panic(expected = "behind an entry that is gone")]
fn a_scan_must_go_on_behind_what_is_gone() {
    check(Fault::ScansFromTheStart);
}

#[test]
#[should_panic(expected = "a scan in steps of 2")]
fn a_scan_must_be_in_order() {
    check(Fault::ScansBackwards);
}

#[test]
#[should_panic(expected = "minimal failing input")]
fn a_removed_namespace_must_be_gone() {
    check(Fault::RemovesTooLittle);
}
