//! The entries of one namespace, and what they take.

use bytes::Bytes;
use hashbrown::HashMap;
use volley_api::{KeyGroup, KeyGroupRange, StateKey};

/// What an entry takes beside the bytes of its key and its value: its slot in a table that is two thirds full, a pointer
/// and a length each, the count of who shares the value, and what the allocator rounds up.
pub(crate) const ENTRY_BYTES: usize = 128;

/// What the first entry of a key group takes beside [`ENTRY_BYTES`]: the smallest table.
pub(crate) const GROUP_BYTES: usize = 256;

/// What a namespace takes for each key group of the instance, whether it has entries or not.
pub(crate) const SLOT_BYTES: usize = size_of::<Option<Box<Group>>>();

type Group = HashMap<Box<[u8]>, Bytes>;

/// The entries of one namespace: a hash map for each key group that has some.
///
/// Order is made when it is asked for. Getting and putting happens for every row, scanning at a firing or a checkpoint;
/// and a scan looks at one key group at a time.
#[derive(Debug)]
pub(crate) struct Table {
    key_groups: KeyGroupRange,
    /// One place for each key group of the range.
    groups: Vec<Option<Box<Group>>>,
    entries: usize,
    bytes: usize,
}

impl Table {
    pub(crate) fn new(key_groups: KeyGroupRange) -> Self {
        let groups: Vec<_> = (key_groups.start..key_groups.end).map(|_| None).collect();
        Self { key_groups, entries: 0, bytes: groups.len() * SLOT_BYTES, groups }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn get(&self, key: StateKey<'_>) -> Option<Bytes> {
        self.groups[self.place(key.group)].as_ref()?.get(key.key).cloned()
    }

    pub(crate) fn put(&mut self, key: StateKey<'_>, value: &[u8]) {
        let place = self.place(key.group);
        let group = self.groups[place].get_or_insert_with(|| {
            self.bytes += GROUP_BYTES;
            Box::default()
        });
        let stored = Bytes::copy_from_slice(value);
        self.bytes += value.len();
        if let Some(present) = group.get_mut(key.key) {
            self.bytes -= present.len();
            *present = stored;
        } else {
            group.insert(key.key.into(), stored);
            self.bytes += ENTRY_BYTES + key.key.len();
            self.entries += 1;
        }
    }

    pub(crate) fn remove(&mut self, key: StateKey<'_>) {
        let place = self.place(key.group);
        let Some(group) = &mut self.groups[place] else { return };
        let Some(value) = group.remove(key.key) else { return };
        self.bytes -= ENTRY_BYTES + key.key.len() + value.len();
        self.entries -= 1;
        if group.is_empty() {
            self.groups[place] = None;
            self.bytes -= GROUP_BYTES;
        }
    }

    /// Removes the entries whose values are not to be kept.
    pub(crate) fn retain(&mut self, keeps: impl Fn(&[u8]) -> bool) {
        let Self { groups, entries, bytes, .. } = self;
        for slot in groups {
            let Some(group) = slot else { continue };
            group.retain(|key, value| {
                let stays = keeps(value);
                if !stays {
                    *bytes -= ENTRY_BYTES + key.len() + value.len();
                    *entries -= 1;
                }
                stays
            });
            if group.is_empty() {
                *slot = None;
                *bytes -= GROUP_BYTES;
            }
        }
    }

    /// The entries behind `after`, in the order of key group and key, at most `entries_max` of them.
    pub(crate) fn scan<'a>(
        &'a self,
        after: Option<(KeyGroup, &'a [u8])>,
        entries_max: usize,
    ) -> impl Iterator<Item = (KeyGroup, &'a [u8], &'a Bytes)> {
        let first = after.map_or(self.key_groups.start, |(group, _)| u32::from(group.0).max(self.key_groups.start));
        let mut left = entries_max;
        let groups = (first..self.key_groups.end).filter_map(|group| Some(KeyGroup(u8::try_from(group).ok()?)));
        groups.flat_map(move |group| {
            let after = after.filter(|(of, _)| *of == group).map(|(_, key)| key);
            let entries = match &self.groups[self.place(group)] {
                Some(entries) if left > 0 => smallest(entries, after, left),
                _ => Vec::new(),
            };
            left -= entries.len();
            entries.into_iter().map(move |(key, value)| (group, key, value))
        })
    }

    fn place(&self, group: KeyGroup) -> usize {
        (u32::from(group.0) - self.key_groups.start) as usize
    }
}

/// The entries with the smallest keys behind `after`, in order. They are picked before they are sorted, so that a scan in
/// small steps over a large key group costs a comparison per entry and step, and not a sort.
fn smallest<'a>(group: &'a Group, after: Option<&[u8]>, entries_max: usize) -> Vec<(&'a [u8], &'a Bytes)> {
    let entries = group.iter().map(|(key, value)| (&**key, value));
    let mut entries: Vec<_> = entries.filter(|(key, _)| after.is_none_or(|after| *key > after)).collect();
    if entries.len() > entries_max {
        entries.select_nth_unstable_by_key(entries_max, |(key, _)| *key);
        entries.truncate(entries_max);
    }
    entries.sort_unstable_by_key(|(key, _)| *key);
    entries
}
