//! The dictionary of an instance: keys as numbers, so that each crosses once.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use volley_api::{KeyGroup, StateKey};

/// The keys that one instance has met, by number.
#[derive(Default)]
pub(crate) struct Groups {
    hasher: DefaultHashBuilder,
    numbers: HashTable<Entry>,
    /// The bytes of all keys, one behind the other.
    bytes: Vec<u8>,
    known: Vec<Known>,
    call: u64,
}

/// Where a number is looked up.
#[derive(Clone, Copy)]
struct Entry {
    /// Bits of the key's hash, so that other keys are hardly ever looked at.
    hash: u32,
    number: u32,
}

/// What there is of a key, side by side: a row costs one look at memory that is far away.
struct Known {
    start: usize,
    end: usize,
    /// The last call that it was in.
    call: u64,
    key_group: KeyGroup,
}

impl Groups {
    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Bytes of all keys together.
    pub(crate) fn key_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// All numbers are void.
    pub(crate) fn clear(&mut self) {
        self.numbers.clear();
        self.bytes.clear();
        self.known.clear();
    }

    /// A call begins, which so far has no keys.
    pub(crate) fn begin(&mut self) {
        self.call += 1;
    }

    /// The number of a key of the call: that it had, or the next one.
    pub(crate) fn of_call(&mut self, key: StateKey<'_>) -> u32 {
        let hash = self.hasher.hash_one(key.key);
        let Self { hasher, numbers, bytes, known, call } = self;
        let is_same = |entry: &Entry| {
            entry.hash == bits(hash) && {
                let Known { start, end, .. } = known[entry.number as usize];
                bytes[start..end] == *key.key
            }
        };
        if let Some(Entry { number, .. }) = numbers.find(hash, is_same).copied() {
            known[number as usize].call = *call;
            return number;
        }
        // Far below 2^32: see KEYS_LIVE_MAX.
        let number = u32::try_from(known.len()).unwrap_or(u32::MAX);
        let start = bytes.len();
        bytes.extend_from_slice(key.key);
        known.push(Known { start, end: bytes.len(), call: *call, key_group: key.group });
        let hash_again = |entry: &Entry| {
            let Known { start, end, .. } = known[entry.number as usize];
            hasher.hash_one(&bytes[start..end])
        };
        numbers.insert_unique(hash, Entry { hash: bits(hash), number }, hash_again);
        number
    }

    /// Whether a number is one of the call's.
    pub(crate) fn is_of_call(&self, number: u32) -> bool {
        self.known.get(number as usize).is_some_and(|known| known.call == self.call)
    }

    /// The key of a number that was given out.
    pub(crate) fn key(&self, number: u32) -> StateKey<'_> {
        let Known { start, end, key_group, .. } = self.known[number as usize];
        StateKey { group: key_group, key: &self.bytes[start..end] }
    }
}

/// Other bits of a hash than those that the table goes by.
fn bits(hash: u64) -> u32 {
    (hash >> 24 & u64::from(u32::MAX)).try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_numbered_once_and_belong_to_the_calls_they_are_in() {
        let key = |text: &'static str| StateKey { group: KeyGroup(7), key: text.as_bytes() };
        let mut groups = Groups::default();
        groups.begin();
        assert_eq!(["a", "b", "a", ""].map(|text| groups.of_call(key(text))), [0, 1, 0, 2]);
        assert!(groups.is_of_call(2) && !groups.is_of_call(3));
        groups.begin();
        assert_eq!(groups.of_call(key("b")), 1);
        assert!(groups.is_of_call(1) && !groups.is_of_call(0), "known, and not of this call");
        assert_eq!(groups.key(2), key(""));
        groups.clear();
        groups.begin();
        assert_eq!((groups.len(), groups.of_call(key("b"))), (0, 0));
    }
}
