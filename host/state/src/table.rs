//! The entries of one namespace, and what they take.

use std::hash::BuildHasher;

use bytes::Bytes;
use hashbrown::{DefaultHashBuilder, HashTable};
use volley_api::{KeyGroup, KeyGroupRange, StateKey};

use crate::entry::{Key, Part, Value, Wanted, give};

/// What an entry takes beside the bytes of its key and its value: its slot in a table that is half full, as it is when it has
/// just grown. What is too long to stand in the slot has besides what the allocator rounds up; such a table is reckoned too
/// small right after it has grown, and too large otherwise.
pub(crate) const ENTRY_BYTES: usize = 128;

/// What the first entry of a key group takes beside [`ENTRY_BYTES`]: the smallest table.
pub(crate) const GROUP_BYTES: usize = 256;

/// What a namespace takes for each key group of the instance, whether it has entries or not.
pub(crate) const SLOT_BYTES: usize = size_of::<Option<Box<Group>>>();

/// Entries that are given out together: so few that what was found is still near when it is copied, and that one of them,
/// kept for long, keeps hardly more than itself.
const TOGETHER: usize = 32;

/// A table of which fewer than one in so many places is taken is made smaller.
const FULLNESS_MIN: usize = 8;

type Group = HashTable<Entry>;

/// Aligned to a line of the processor's memory, which is as large: to look one up is to look at one line.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Entry {
    key: Key,
    value: Value,
}

/// The entries of one namespace: a hash table for each key group that has some.
///
/// Order is made when it is asked for. Getting and putting happens for every row, scanning at a firing or a checkpoint;
/// and a scan looks at one key group at a time.
#[derive(Debug)]
pub(crate) struct Table {
    key_groups: KeyGroupRange,
    hasher: DefaultHashBuilder,
    /// One place for each key group of the range.
    groups: Vec<Option<Box<Group>>>,
    entries: usize,
    bytes: usize,
}

impl Table {
    pub(crate) fn new(key_groups: KeyGroupRange) -> Self {
        let groups: Vec<_> = (key_groups.start..key_groups.end).map(|_| None).collect();
        let hasher = DefaultHashBuilder::default();
        Self { key_groups, hasher, entries: 0, bytes: groups.len() * SLOT_BYTES, groups }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The values of keys.
    pub(crate) fn get_many(&self, keys: &[StateKey<'_>]) -> Vec<Option<Bytes>> {
        let mut values = Vec::with_capacity(keys.len());
        let mut wanted = Vec::with_capacity(keys.len().min(TOGETHER));
        let mut found = [Part::None; TOGETHER];
        for keys in keys.chunks(TOGETHER) {
            self.want(keys, &mut wanted);
            for (found, wanted) in found.iter_mut().zip(&wanted) {
                *found = self.get(wanted).map_or(Part::None, Part::Value);
            }
            give(&found[..keys.len()], |value| values.push(value));
        }
        values
    }

    /// Sets values, key by key, as long as `check` has nothing against it.
    pub(crate) fn put_many<E>(
        &mut self,
        keys: &[StateKey<'_>],
        values: &[&[u8]],
        check: impl Fn(&Self) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut wanted = Vec::with_capacity(keys.len().min(TOGETHER));
        let mut found = [None; TOGETHER];
        for (keys, values) in keys.chunks(TOGETHER).zip(values.chunks(TOGETHER)) {
            self.want(keys, &mut wanted);
            for (found, wanted) in found.iter_mut().zip(&wanted) {
                *found = self.find(wanted);
            }
            let entries = self.entries;
            for ((wanted, value), found) in wanted.iter().zip(values).zip(found) {
                // What was found is still where it was as long as no entry is new.
                match found.filter(|_| self.entries == entries) {
                    Some(bucket) => self.replace(wanted, bucket, value),
                    None => self.put(wanted, value),
                }
                check(self)?;
            }
        }
        Ok(())
    }

    /// All that has to be worked out of keys before they are looked up. Then the looks at memory that is far away stand so
    /// close together that the processor does not wait for one before it takes the next.
    #[inline]
    fn want<'a>(&self, keys: &[StateKey<'a>], wanted: &mut Vec<Wanted<'a>>) {
        wanted.clear();
        wanted.extend(keys.iter().map(|key| Wanted::new(*key, &self.hasher)));
    }

    #[inline]
    fn get(&self, wanted: &Wanted<'_>) -> Option<&Value> {
        let group = self.groups[self.place(wanted.group)].as_ref()?;
        group.find(wanted.hash, |entry| wanted.is(&entry.key)).map(|entry| &entry.value)
    }

    /// The place of an entry in the table of its key group.
    #[inline]
    fn find(&self, wanted: &Wanted<'_>) -> Option<usize> {
        let group = self.groups[self.place(wanted.group)].as_ref()?;
        group.find_bucket_index(wanted.hash, |entry| wanted.is(&entry.key))
    }

    #[inline]
    fn replace(&mut self, wanted: &Wanted<'_>, bucket: usize, value: &[u8]) {
        let place = self.place(wanted.group);
        let Some(entry) = self.groups[place].as_mut().and_then(|group| group.get_bucket_mut(bucket)) else { return };
        self.bytes = self.bytes + value.len() - entry.value.len();
        entry.value.set(value);
    }

    fn put(&mut self, wanted: &Wanted<'_>, value: &[u8]) {
        if let Some(bucket) = self.find(wanted) {
            return self.replace(wanted, bucket, value);
        }
        let place = self.place(wanted.group);
        let group = self.groups[place].get_or_insert_with(|| {
            self.bytes += GROUP_BYTES;
            Box::default()
        });
        let hasher = &self.hasher;
        let entry = Entry { key: wanted.key(), value: Value::new(value) };
        self.bytes += ENTRY_BYTES + entry.key.bytes().len() + value.len();
        group.insert_unique(wanted.hash, entry, |entry| hasher.hash_one(entry.key.bytes()));
        self.entries += 1;
    }

    pub(crate) fn remove(&mut self, key: StateKey<'_>) {
        let place = self.place(key.group);
        let Some(group) = &mut self.groups[place] else { return };
        let wanted = Wanted::new(key, &self.hasher);
        let Ok(entry) = group.find_entry(wanted.hash, |entry| wanted.is(&entry.key)) else { return };
        let (Entry { value, .. }, _) = entry.remove();
        self.bytes -= ENTRY_BYTES + key.key.len() + value.len();
        self.entries -= 1;
        if group.is_empty() {
            self.groups[place] = None;
            self.bytes -= GROUP_BYTES;
        } else {
            shrink(group, &self.hasher);
        }
    }

    /// Removes the entries whose values are not to be kept.
    pub(crate) fn retain(&mut self, keeps: impl Fn(&[u8]) -> bool) {
        let Self { groups, hasher, entries, bytes, .. } = self;
        for slot in groups {
            let Some(group) = slot else { continue };
            group.retain(|Entry { key, value }| {
                let stays = keeps(value.bytes());
                if !stays {
                    *bytes -= ENTRY_BYTES + key.bytes().len() + value.len();
                    *entries -= 1;
                }
                stays
            });
            if group.is_empty() {
                *slot = None;
                *bytes -= GROUP_BYTES;
            } else {
                shrink(group, hasher);
            }
        }
    }

    /// The entries behind `after`, in the order of key group and key, at most `entries_max` of them.
    pub(crate) fn scan(
        &self,
        after: Option<(KeyGroup, &[u8])>,
        entries_max: usize,
        mut each: impl FnMut(KeyGroup, Bytes, Bytes),
    ) {
        let first = after.map_or(self.key_groups.start, |(group, _)| u32::from(group.0).max(self.key_groups.start));
        let mut left = entries_max;
        for group in (first..self.key_groups.end).filter_map(|group| Some(KeyGroup(u8::try_from(group).ok()?))) {
            let after = after.filter(|(of, _)| *of == group).map(|(_, key)| key);
            let entries = match &self.groups[self.place(group)] {
                Some(entries) if left > 0 => smallest(entries, after, left),
                _ => continue,
            };
            left -= entries.len();
            for entries in entries.chunks(TOGETHER) {
                let mut parts = [Part::None; 2 * TOGETHER];
                for (parts, entry) in parts.chunks_exact_mut(2).zip(entries) {
                    parts.copy_from_slice(&[Part::Key(&entry.key), Part::Value(&entry.value)]);
                }
                let mut key = None;
                give(&parts[..2 * entries.len()], |part| match key.take() {
                    None => key = part,
                    Some(key) => each(group, key, part.unwrap_or_default()),
                });
            }
        }
    }

    fn place(&self, group: KeyGroup) -> usize {
        (u32::from(group.0) - self.key_groups.start) as usize
    }
}

/// Gives memory back where most of a table is empty: what was removed counts no more.
fn shrink(group: &mut Group, hasher: &DefaultHashBuilder) {
    if group.capacity() / FULLNESS_MIN > group.len().max(FULLNESS_MIN) {
        group.shrink_to(2 * group.len(), |entry| hasher.hash_one(entry.key.bytes()));
    }
}

/// The entries with the smallest keys behind `after`, in order. They are picked before they are sorted, so that a scan in
/// small steps over a large key group costs a comparison per entry and step, and not a sort.
fn smallest<'a>(group: &'a Group, after: Option<&[u8]>, entries_max: usize) -> Vec<&'a Entry> {
    let mut entries: Vec<_> =
        group.iter().filter(|entry| after.is_none_or(|after| entry.key.bytes() > after)).collect();
    if entries.len() > entries_max {
        entries.select_nth_unstable_by(entries_max, |one, other| one.key.bytes().cmp(other.key.bytes()));
        entries.truncate(entries_max);
    }
    entries.sort_unstable_by(|one, other| one.key.bytes().cmp(other.key.bytes()));
    entries
}
