//! `count_distinct`: exact, by one hash set over pairs of group and value.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, FieldRef};

use super::accumulator::{Accumulator, Failure, Input, grow, take, vec_bytes};
use super::kind::Kind;

/// The fewest slots of a table that has any.
const SLOTS_MIN: usize = 64;

/// How many different values there are by group. Its state is the values themselves.
pub(super) struct CountDistinct<K: Kind> {
    /// The type of the state's lists.
    item: FieldRef,
    counts: Vec<i64>,
    pairs: Pairs<K>,
}

impl<K: Kind> CountDistinct<K> {
    /// Counts values whose lists have such items.
    pub(super) fn new(item: FieldRef) -> Self {
        Self { item, counts: Vec::new(), pairs: Pairs::new() }
    }

    fn empty(&mut self, groups_total: usize) -> (Vec<i64>, Pairs<K>) {
        (take(&mut self.counts, groups_total), std::mem::replace(&mut self.pairs, Pairs::new()))
    }
}

impl<K: Kind> Accumulator for CountDistinct<K> {
    fn update(&mut self, input: &Input<'_>) -> Result<(), Failure> {
        grow(&mut self.counts, input.rows.groups_total);
        let values = K::open(input.values()?)?;
        self.pairs.expect(input.rows.groups.len())?;
        input
            .rows
            .for_each(|row, group| self.counts[group] += i64::from(self.pairs.insert(group, K::value(&values, row))));
        Ok(())
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[usize], groups_total: usize) -> Result<(), Failure> {
        grow(&mut self.counts, groups_total);
        let lists = state[0].as_list::<i32>();
        if lists.values().null_count() > 0 {
            return Err(Failure::Broken("its state has a null among the values".into()));
        }
        let values = K::open(lists.values())?;
        self.pairs.expect(lists.values().len())?;
        for (&group, ends) in groups.iter().zip(lists.offsets().windows(2)) {
            // Offsets are never negative.
            for row in ends[0] as usize..ends[1] as usize {
                self.counts[group] += i64::from(self.pairs.insert(group, K::value(&values, row)));
            }
        }
        Ok(())
    }

    fn drain(&mut self, groups_total: usize) -> Result<Vec<ArrayRef>, Failure> {
        let (counts, pairs) = self.empty(groups_total);
        if i32::try_from(pairs.len()).is_err() {
            let seen = pairs.len();
            return Err(Failure::Overflow(format!(
                "has {seen} different values at once, and the limit is {}: use approx_distinct",
                i32::MAX
            )));
        }
        let values = pairs.by_group(&counts, self.item.data_type())?;
        let offsets = OffsetBuffer::from_lengths(counts.into_iter().map(|count| count as usize));
        Ok(vec![Arc::new(ListArray::try_new(Arc::clone(&self.item), offsets, values, None)?)])
    }

    fn evaluate(&mut self, groups_total: usize) -> Result<ArrayRef, Failure> {
        Ok(Arc::new(Int64Array::from(self.empty(groups_total).0)))
    }

    fn memory_bytes(&self) -> usize {
        vec_bytes(&self.counts) + self.pairs.memory_bytes()
    }
}

/// A set of pairs of group and value: an open-addressing table of indices into columns of entries.
struct Pairs<K: Kind> {
    /// Index of an entry plus one, or 0. As many as a power of two, at most three quarters of them taken.
    slots: Vec<u32>,
    hashes: Vec<u64>,
    groups: Vec<usize>,
    values: Vec<K::Kept>,
    heap_bytes: usize,
}

impl<K: Kind> Pairs<K> {
    fn new() -> Self {
        Self { slots: Vec::new(), hashes: Vec::new(), groups: Vec::new(), values: Vec::new(), heap_bytes: 0 }
    }

    fn len(&self) -> usize {
        self.groups.len()
    }

    /// Checks that so many more pairs can be numbered.
    fn expect(&self, more: usize) -> Result<(), Failure> {
        match u32::try_from(self.len() + more + 1) {
            Ok(_) => Ok(()),
            Err(_) => Err(Failure::Overflow("has four billion different values at once: use approx_distinct".into())),
        }
    }

    /// Adds a pair; whether it is new.
    fn insert(&mut self, group: usize, value: K::Value<'_>) -> bool {
        if (self.len() + 1) * 4 > self.slots.len() * 3 {
            self.double();
        }
        let hash = mixed(K::hash(value), group);
        let mut slot = self.first_slot(hash);
        while self.slots[slot] != 0 {
            let entry = self.slots[slot] as usize - 1;
            let is_hit = self.hashes[entry] == hash && self.groups[entry] == group;
            if is_hit && K::same(K::kept(&self.values[entry]), value) {
                return false;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        let mut kept = K::Kept::default();
        K::keep(&mut kept, value);
        self.heap_bytes += K::heap_bytes(&kept);
        self.hashes.push(hash);
        self.groups.push(group);
        self.values.push(kept);
        // `expect` was asked before.
        self.slots[slot] = self.len() as u32;
        true
    }

    fn first_slot(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    fn double(&mut self) {
        self.slots = vec![0; (self.slots.len() * 2).max(SLOTS_MIN)];
        for (entry, &hash) in self.hashes.iter().enumerate() {
            let mut slot = self.first_slot(hash);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (self.slots.len() - 1);
            }
            self.slots[slot] = entry as u32 + 1;
        }
    }

    /// The values of group 0, those of group 1, and so on, of which there are so many.
    fn by_group(&self, counts: &[i64], data_type: &DataType) -> Result<ArrayRef, Failure> {
        let starts = counts.iter().scan(0, |next, &count| {
            let start = *next;
            *next += count as usize;
            Some(start)
        });
        let mut next: Vec<usize> = starts.collect();
        let mut entries = vec![0; self.len()];
        for (entry, &group) in self.groups.iter().enumerate() {
            entries[next[group]] = entry;
            next[group] += 1;
        }
        Ok(K::column(entries.iter().map(|&entry| &self.values[entry]), None, data_type)?)
    }

    fn memory_bytes(&self) -> usize {
        let columns = vec_bytes(&self.hashes) + vec_bytes(&self.groups) + vec_bytes(&self.values);
        vec_bytes(&self.slots) + columns + self.heap_bytes
    }
}

/// One hash of a value's hash and a group, good in its low bits: the same value in many groups is the usual case.
fn mixed(hash: u64, group: usize) -> u64 {
    let mut mixed = hash ^ (group as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ mixed >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    mixed ^ mixed >> 29
}
