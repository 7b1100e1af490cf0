//! The dictionary of an instance: keys as numbers, so that each crosses once.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use volley_api::{KeyGroup, StateKey};

/// The keys that one instance has met, by number.
#[derive(Default)]
pub(crate) struct Groups {
    hasher: DefaultHashBuilder,
    numbers: HashTable<u32>,
    /// The bytes of all keys, one behind the other, and where each ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    key_groups: Vec<KeyGroup>,
    /// The last call that each was in.
    calls: Vec<u64>,
    call: u64,
}

impl Groups {
    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all keys together.
    pub(crate) fn key_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// All numbers are void.
    pub(crate) fn clear(&mut self) {
        self.numbers.clear();
        self.bytes.clear();
        self.ends.clear();
        self.key_groups.clear();
        self.calls.clear();
    }

    /// A call begins, which so far has no keys.
    pub(crate) fn begin(&mut self) {
        self.call += 1;
    }

    /// The number of a key of the call: that it had, or the next one.
    pub(crate) fn of_call(&mut self, key: StateKey<'_>) -> u32 {
        let hash = self.hasher.hash_one(key.key);
        let Self { hasher, numbers, bytes, ends, .. } = self;
        let at = |number: u32| span(ends, number);
        if let Some(number) = numbers.find(hash, |number| bytes[at(*number)] == *key.key).copied() {
            self.calls[number as usize] = self.call;
            return number;
        }
        // Far below 2^32: see KEYS_LIVE_MAX.
        let number = u32::try_from(ends.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(key.key);
        ends.push(bytes.len());
        numbers.insert_unique(hash, number, |number| hasher.hash_one(&bytes[span(ends, *number)]));
        self.key_groups.push(key.group);
        self.calls.push(self.call);
        number
    }

    /// Whether a number is one of the call's.
    pub(crate) fn is_of_call(&self, number: u32) -> bool {
        self.calls.get(number as usize) == Some(&self.call)
    }

    /// The key of a number that was given out.
    pub(crate) fn key(&self, number: u32) -> StateKey<'_> {
        StateKey { group: self.key_groups[number as usize], key: &self.bytes[span(&self.ends, number)] }
    }
}

/// Where the bytes of a key lie.
fn span(ends: &[usize], number: u32) -> std::ops::Range<usize> {
    let number = number as usize;
    let start = if number == 0 { 0 } else { ends[number - 1] };
    start..ends[number]
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
