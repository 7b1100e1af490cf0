//! The dictionary of an instance: keys as numbers, so that each crosses once.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use volley_api::{KeyGroup, StateKey};

/// The keys that one instance has met, by number.
#[derive(Default)]
pub(crate) struct Groups {
    hasher: DefaultHashBuilder,
    numbers: HashTable<Entry>,
    /// The bytes of long keys, one behind the other.
    bytes: Vec<u8>,
    /// Bytes of all keys together.
    key_bytes: usize,
    known: Vec<Known>,
    /// Of each number whether it is one of the call's: so little that it stays near.
    of_call: Vec<u64>,
}

/// Where a number is looked up.
#[derive(Clone, Copy)]
struct Entry {
    /// Bits of the key's hash, so that other keys are hardly ever looked at.
    hash: u32,
    number: u32,
}

/// What there is of a key, side by side and without room in between: a row costs one look at memory that is far away.
#[derive(Clone, Copy)]
struct Known {
    /// A short key with its length behind it; of a longer one where it begins among the bytes, how long it is, and a mark.
    key: [u8; WORD_BYTES],
    key_group: KeyGroup,
}

const WORD_BYTES: usize = 16;
/// Where the length of a short key is, and the most that it can be.
const SHORT_BYTES_MAX: usize = WORD_BYTES - 1;
/// Stands there for a longer key.
const LONG: u8 = u8::MAX;
const HALF_BYTES: usize = WORD_BYTES / 2;

impl Known {
    fn key<'a>(&'a self, bytes: &'a [u8]) -> &'a [u8] {
        let length = self.key[SHORT_BYTES_MAX];
        if length != LONG {
            return &self.key[..usize::from(length)];
        }
        let [start, end] = [0, 4].map(|at| u32::from_le_bytes([0, 1, 2, 3].map(|byte| self.key[at + byte])) as usize);
        &bytes[start..end]
    }
}

/// A short key as it is kept.
#[inline]
fn short(key: &[u8]) -> Option<[u8; WORD_BYTES]> {
    let length = key.len();
    if length > SHORT_BYTES_MAX {
        return None;
    }
    let mut word = match (key.first_chunk::<HALF_BYTES>(), key.last_chunk::<HALF_BYTES>()) {
        // Two words that overlap: copying some bytes is a call of its own otherwise.
        (Some(first), Some(last)) => {
            let rest = u64::from_le_bytes(*last).checked_shr(8 * (WORD_BYTES - length) as u32).unwrap_or_default();
            (u128::from(rest) << 64 | u128::from(u64::from_le_bytes(*first))).to_le_bytes()
        }
        _ => {
            let mut word = [0; WORD_BYTES];
            word[..length].copy_from_slice(key);
            word
        }
    };
    word[SHORT_BYTES_MAX] = u8::try_from(length).unwrap_or(LONG);
    Some(word)
}

impl Groups {
    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Bytes of all keys together.
    pub(crate) fn key_bytes(&self) -> usize {
        self.key_bytes
    }

    /// All numbers are void.
    pub(crate) fn clear(&mut self) {
        self.numbers.clear();
        self.bytes.clear();
        self.key_bytes = 0;
        self.known.clear();
        self.of_call.clear();
    }

    /// A call begins, which so far has no keys.
    pub(crate) fn begin(&mut self) {
        self.of_call.fill(0);
    }

    /// The number of a key of the call: that it had, or the next one.
    pub(crate) fn of_call(&mut self, key: StateKey<'_>) -> u32 {
        let number = self.number(key);
        let (word, bit) = place(number);
        if self.of_call.len() <= word {
            self.of_call.resize(word + 1, 0);
        }
        self.of_call[word] |= bit;
        number
    }

    fn number(&mut self, key: StateKey<'_>) -> u32 {
        let hash = self.hasher.hash_one(key.key);
        let word = short(key.key);
        let Self { hasher, numbers, bytes, key_bytes, known, .. } = self;
        let is_same = |entry: &Entry| {
            entry.hash == bits(hash) && {
                let other = &known[entry.number as usize];
                match &word {
                    Some(word) => other.key == *word,
                    None => other.key(bytes) == key.key,
                }
            }
        };
        if let Some(Entry { number, .. }) = numbers.find(hash, is_same) {
            return *number;
        }
        // Far below 2^32: see KEYS_LIVE_MAX.
        let number = u32::try_from(known.len()).unwrap_or(u32::MAX);
        let word = word.unwrap_or_else(|| {
            let start = bytes.len();
            bytes.extend_from_slice(key.key);
            // Far below 2^32: see KEY_BYTES_LIVE_MAX, and what one call may have.
            let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX).to_le_bytes();
            let mut word = [LONG; WORD_BYTES];
            word[..4].copy_from_slice(&place(start));
            word[4..8].copy_from_slice(&place(bytes.len()));
            word
        });
        known.push(Known { key: word, key_group: key.group });
        *key_bytes += key.key.len();
        let hash_again = |entry: &Entry| hasher.hash_one(known[entry.number as usize].key(bytes));
        numbers.insert_unique(hash, Entry { hash: bits(hash), number }, hash_again);
        number
    }

    /// Whether a number is one of the call's.
    pub(crate) fn is_of_call(&self, number: u32) -> bool {
        let (word, bit) = place(number);
        self.of_call.get(word).is_some_and(|word| word & bit != 0)
    }

    /// The key of a number that was given out.
    pub(crate) fn key(&self, number: u32) -> StateKey<'_> {
        let known = &self.known[number as usize];
        StateKey { group: known.key_group, key: known.key(&self.bytes) }
    }
}

/// Where the bit of a number is.
fn place(number: u32) -> (usize, u64) {
    ((number / u64::BITS) as usize, 1 << (number % u64::BITS))
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

    #[test]
    fn keys_of_every_length_are_told_apart_and_given_back() {
        let text = "the keys of a stream are of any length, and many of them begin alike";
        let keys: Vec<Vec<u8>> = (0..40)
            .flat_map(|length| {
                let key = text.as_bytes()[..length].to_vec();
                let zeros = vec![0; length];
                let last = key.iter().copied().take(length.saturating_sub(1)).chain([0]).collect();
                [key, zeros, last]
            })
            .collect();
        let mut distinct: Vec<&Vec<u8>> = Vec::new();
        keys.iter().for_each(|key| {
            if !distinct.contains(&key) {
                distinct.push(key)
            }
        });
        let mut groups = Groups::default();
        for _ in 0..2 {
            groups.begin();
            for key in &keys {
                let number = groups.of_call(StateKey { group: KeyGroup(3), key });
                assert_eq!(distinct[number as usize], key);
                assert_eq!(groups.key(number), StateKey { group: KeyGroup(3), key });
            }
        }
        assert_eq!((groups.len(), groups.key_bytes()), (distinct.len(), distinct.iter().map(|key| key.len()).sum()));
    }
}
