//! The entries of one namespace in memory: keys and values in an arena, and an index of them.
//!
//! Getting and putting happens for every row, so neither allocates for an entry, and a value of the same length as the one before is written over it. Entries are never taken out: one that is removed says so, for
//! what lies below must not show through.

use std::hash::BuildHasher;
use std::sync::OnceLock;

use hashbrown::hash_table::Entry as HashEntry;
use hashbrown::{DefaultHashBuilder, HashTable};
use volley_api::StateKey;

use super::arena::{Arena, Place};

/// What there is of the namespace below a table: in older tables or in RocksDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Below {
    /// Nothing: what is not here is nowhere.
    Nothing,
    /// What is not here may be there.
    Shown,
    /// Something that was removed with its namespace before anything was written here.
    Masked,
}

/// The length of a value that was removed. No value has it: they are shorter than 4 GiB.
const REMOVED: u32 = u32::MAX;

/// The longest key or value, in bytes.
pub(crate) const ENTRY_BYTES_MAX: usize = REMOVED as usize - 2;

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// The byte of the key group and the key.
    tail: Place,
    tail_bytes: u32,
    value: Place,
    value_bytes: u32,
}

impl Entry {
    /// Sets the value: in its place, where it is as long as the one before.
    fn set(&mut self, arena: &mut Arena, value: Option<&[u8]>) {
        let Some(value) = value else {
            self.value_bytes = REMOVED;
            return;
        };
        if self.value_bytes as usize == value.len() {
            arena.replace(self.value, value);
        } else {
            self.value = arena.add(&[value]);
            self.value_bytes = value.len() as u32;
        }
    }
}

/// What a table has for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    Value(&'a [u8]),
    Removed,
}

#[derive(Debug)]
pub(crate) struct Table {
    below: Below,
    arena: Arena,
    /// In the order of their coming.
    entries: Vec<Entry>,
    index: HashTable<u32>,
    /// How many entries have a value.
    live: usize,
    /// The first entries in the order of their keys: as many as there were when somebody last asked.
    order: Vec<u32>,
    /// All entries in that order, once the table is no longer written to.
    order_at_last: OnceLock<Vec<u32>>,
}

impl Table {
    pub(crate) fn new(below: Below) -> Self {
        Self {
            below,
            arena: Arena::default(),
            entries: Vec::new(),
            index: HashTable::new(),
            live: 0,
            order: Vec::new(),
            order_at_last: OnceLock::new(),
        }
    }

    pub(crate) fn below(&self) -> Below {
        self.below
    }

    /// How many entries there are, those that say that something was removed among them.
    pub(crate) fn entries(&self) -> usize {
        self.entries.len()
    }

    /// How many entries have a value.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// What it takes of memory.
    pub(crate) fn bytes(&self) -> usize {
        // With an order, whether there is one already or not.
        let entries = self.entries.capacity() * (size_of::<Entry>() + size_of::<u32>());
        size_of::<Self>() + self.arena.bytes() + entries + self.index.allocation_size()
    }

    pub(crate) fn get(&self, hash: u64, key: StateKey<'_>) -> Option<Found<'_>> {
        let id = *self.index.find(hash, |id| is(self.tail(*id), key))?;
        Some(self.found(&self.entries[id as usize]))
    }

    /// Sets the value of a key, or that it has none.
    pub(crate) fn put(&mut self, hasher: &DefaultHashBuilder, hash: u64, key: StateKey<'_>, value: Option<&[u8]>) {
        if self.order_at_last.get().is_some() {
            self.order_at_last = OnceLock::new();
        }
        let Self { below, arena, entries, index, live, .. } = self;
        let tail_of = |entry: &Entry| arena.get(entry.tail, entry.tail_bytes);
        let is_it = |id: &u32| is(tail_of(&entries[*id as usize]), key);
        let rehash = |id: &u32| hash_of_tail(hasher, tail_of(&entries[*id as usize]));
        match (index.entry(hash, is_it, rehash), value) {
            (HashEntry::Occupied(slot), _) => {
                let entry = &mut entries[*slot.get() as usize];
                *live -= usize::from(entry.value_bytes != REMOVED);
                *live += usize::from(value.is_some());
                entry.set(arena, value);
            }
            (HashEntry::Vacant(_), None) if *below != Below::Shown => {}
            (HashEntry::Vacant(slot), _) => {
                let tail = arena.add(&[&[key.group.0], key.key]);
                // The lengths were checked against ENTRY_BYTES_MAX, and there are fewer entries than bytes of memory / 30.
                let mut entry = Entry { tail, tail_bytes: key.key.len() as u32 + 1, value: tail, value_bytes: REMOVED };
                entry.set(arena, value);
                *live += usize::from(value.is_some());
                slot.insert(entries.len() as u32);
                entries.push(entry);
            }
        }
    }

    fn tail(&self, id: u32) -> &[u8] {
        let entry = &self.entries[id as usize];
        self.arena.get(entry.tail, entry.tail_bytes)
    }

    fn found(&self, entry: &Entry) -> Found<'_> {
        match entry.value_bytes {
            REMOVED => Found::Removed,
            length => Found::Value(self.arena.get(entry.value, length)),
        }
    }

    /// An entry: the byte of its key group with its key, and what it has.
    pub(crate) fn entry(&self, id: u32) -> (&[u8], Found<'_>) {
        (self.tail(id), self.found(&self.entries[id as usize]))
    }

    /// Makes [`Table::ordered`] quick for a table that is still written to.
    pub(crate) fn sort(&mut self) {
        if self.order.len() < self.entries.len() {
            self.order = self.sorted();
        }
    }

    /// All entries in the order of key group and key.
    pub(crate) fn ordered(&self) -> &[u32] {
        if self.order.len() == self.entries.len() {
            return &self.order;
        }
        self.order_at_last.get_or_init(|| self.sorted())
    }

    /// The order that is known with the entries that have come since: few of them are put in their places, so that scans
    /// between writes do not sort everything again and again.
    fn sorted(&self) -> Vec<u32> {
        let mut fresh: Vec<u32> = (self.order.len() as u32..self.entries.len() as u32).collect();
        fresh.sort_unstable_by(|a, b| self.tail(*a).cmp(self.tail(*b)));
        let mut order = Vec::with_capacity(self.entries.len());
        let mut known = &self.order[..];
        for id in fresh {
            let before = known.partition_point(|other| self.tail(*other) < self.tail(id));
            order.extend_from_slice(&known[..before]);
            order.push(id);
            known = &known[before..];
        }
        order.extend_from_slice(known);
        order
    }
}

/// The hash of a key, the same in all tables of a state.
pub(crate) fn hash_of(hasher: &DefaultHashBuilder, group: u8, key: &[u8]) -> u64 {
    hasher.hash_one((group, key))
}

fn hash_of_tail(hasher: &DefaultHashBuilder, tail: &[u8]) -> u64 {
    hash_of(hasher, tail[0], &tail[1..])
}

/// Whether a tail is that of a key.
fn is(tail: &[u8], key: StateKey<'_>) -> bool {
    tail[0] == key.group.0 && &tail[1..] == key.key
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use volley_api::KeyGroup;

    use super::*;

    type Step = (u8, Vec<u8>, Option<Vec<u8>>, bool);

    proptest! {
        #[test]
        fn it_does_what_a_map_does(steps in prop::collection::vec(any_step(), 0..200)) {
            let (hasher, mut table) = (DefaultHashBuilder::default(), Table::new(Below::Shown));
            let mut model = BTreeMap::new();
            for (group, key, value, sorts) in steps {
                let state_key = StateKey { group: KeyGroup(group), key: &key };
                table.put(&hasher, hash_of(&hasher, group, &key), state_key, value.as_deref());
                model.insert((group, key), value);
                if sorts {
                    table.sort();
                }
            }
            prop_assert_eq!(table.live(), model.values().flatten().count());
            for ((group, key), value) in &model {
                let found = table.get(hash_of(&hasher, *group, key), StateKey { group: KeyGroup(*group), key });
                prop_assert_eq!(found, Some(value.as_deref().map_or(Found::Removed, Found::Value)));
            }
            let tails: Vec<_> = table.ordered().iter().map(|id| table.entry(*id).0.to_vec()).collect();
            let expected = model.keys().map(|(group, key)| [&[*group], &key[..]].concat());
            prop_assert_eq!(tails, expected.collect::<Vec<_>>());
        }
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let key = prop::collection::vec(0..4_u8, 0..4);
        let value = prop::option::weighted(0.8, prop::collection::vec(any::<u8>(), 0..40));
        (0..3_u8, key, value, prop::bool::weighted(0.1))
    }

    #[test]
    fn values_of_one_length_are_written_over_and_take_no_more() {
        let (hasher, mut table) = (DefaultHashBuilder::default(), Table::new(Below::Nothing));
        let key = StateKey { group: KeyGroup(1), key: b"k" };
        let mut put = |value: &[u8]| {
            table.put(&hasher, hash_of(&hasher, 1, b"k"), key, Some(value));
            table.bytes()
        };
        let first = put(&[1; 400]);
        assert!((0..100).all(|value| put(&[value; 400]) == first));
        assert!(put(&[1; 401]) > first);
    }
}
