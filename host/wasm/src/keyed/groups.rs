//! The dictionary of an instance: keys as numbers, so that each crosses once.

use std::hash::BuildHasher;
use std::ops::Range;

use hashbrown::{DefaultHashBuilder, HashTable};
use volley_api::{KeyGroup, ShortKey, StateKey};

/// Keys that are looked up together: what is known of them already is found before any is numbered, so that looks at memory
/// that is far away do not wait for each other.
const TOGETHER: usize = 32;

/// The keys that one instance has met, by number, and those among them that the call under way has.
#[derive(Default)]
pub(crate) struct Groups {
    hasher: DefaultHashBuilder,
    numbers: HashTable<Entry>,
    /// The bytes of long keys, one behind the other.
    bytes: Vec<u8>,
    /// Bytes of all keys together.
    key_bytes: usize,
    /// Of each number whether it is one of the call's: so little that it stays near.
    is_of_call: Vec<u64>,
    /// For each number of the call its place among them.
    places: Vec<u32>,
    /// The numbers of the call, in the order in which it met them.
    numbers_of_call: Vec<u32>,
    /// Their keys: side by side, since the call reads and writes them in turn.
    of_call: Vec<Key>,
}

/// A key and its number: a row costs one look at memory that is far away.
#[derive(Clone, Copy)]
struct Entry {
    key: Key,
    number: u32,
}

#[derive(Clone, Copy)]
enum Key {
    Short {
        key: ShortKey,
        group: KeyGroup,
    },
    /// Where it is among the bytes, and bits of its hash, so that other keys are hardly ever looked at.
    Long {
        start: u32,
        end: u32,
        hash: u32,
        group: KeyGroup,
    },
}

impl Key {
    fn bytes<'a>(&'a self, bytes: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Short { key, .. } => key.bytes(),
            Self::Long { start, end, .. } => &bytes[*start as usize..*end as usize],
        }
    }

    #[inline]
    fn is_short(&self, wanted: &ShortKey) -> bool {
        matches!(self, Self::Short { key, .. } if key == wanted)
    }

    fn group(&self) -> KeyGroup {
        match self {
            Self::Short { group, .. } | Self::Long { group, .. } => *group,
        }
    }
}

/// A key that is looked up.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    key: StateKey<'a>,
    short: Option<ShortKey>,
    hash: u64,
}

impl Groups {
    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
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
        self.begin();
        // All at once: the next instance may know fewer.
        self.is_of_call.clear();
        self.places.clear();
    }

    /// A call begins, which so far has no keys.
    pub(crate) fn begin(&mut self) {
        for number in self.numbers_of_call.drain(..) {
            self.is_of_call[bit_of(number).0] = 0;
        }
        self.of_call.clear();
    }

    /// The number of a key of the call: that it had, or the next one.
    pub(crate) fn of_call(&mut self, key: StateKey<'_>) -> u32 {
        let wanted = self.wanted(key);
        self.numbered(&wanted, self.find(&wanted))
    }

    /// The numbers of keys of the call.
    pub(crate) fn of_call_many<'a>(&mut self, rows: Range<usize>, key: impl Fn(usize) -> StateKey<'a>) -> Vec<u32> {
        let mut numbers = Vec::with_capacity(rows.len());
        let mut wanted = Vec::with_capacity(TOGETHER);
        let mut found = [None; TOGETHER];
        for start in rows.clone().step_by(TOGETHER) {
            let end = rows.end.min(start + TOGETHER);
            wanted.clear();
            wanted.extend((start..end).map(|row| self.wanted(key(row))));
            for (found, wanted) in found.iter_mut().zip(&wanted) {
                *found = self.find(wanted);
            }
            numbers.extend(wanted.iter().zip(found).map(|(wanted, found)| self.numbered(wanted, found)));
        }
        numbers
    }

    #[inline]
    fn wanted<'a>(&self, key: StateKey<'a>) -> Wanted<'a> {
        Wanted { key, short: ShortKey::new(key.key), hash: self.hasher.hash_one(key.key) }
    }

    /// The number that a key has.
    #[inline]
    fn find(&self, wanted: &Wanted<'_>) -> Option<u32> {
        let found = match &wanted.short {
            Some(short) => self.numbers.find(wanted.hash, |entry| entry.key.is_short(short)),
            None => self.find_long(wanted),
        };
        found.map(|entry| entry.number)
    }

    fn find_long(&self, wanted: &Wanted<'_>) -> Option<&Entry> {
        self.numbers.find(wanted.hash, |entry| match &entry.key {
            Key::Long { hash, .. } if *hash == bits(wanted.hash) => entry.key.bytes(&self.bytes) == wanted.key.key,
            _ => false,
        })
    }

    /// The number of a key that is the call's from now on.
    #[inline]
    fn numbered(&mut self, wanted: &Wanted<'_>, found: Option<u32>) -> u32 {
        // Where it had none it may have been given one since: by a row before it.
        let number = found.or_else(|| self.find(wanted)).unwrap_or_else(|| self.add(wanted));
        let (word, bit) = bit_of(number);
        if self.is_of_call.len() <= word {
            self.is_of_call.resize(word + 1, 0);
            self.places.resize((word + 1) * u64::BITS as usize, 0);
        }
        if self.is_of_call[word] & bit == 0 {
            self.is_of_call[word] |= bit;
            self.places[number as usize] = number_of(self.of_call.len());
            self.numbers_of_call.push(number);
            let StateKey { group, .. } = wanted.key;
            match wanted.short {
                Some(key) => self.of_call.push(Key::Short { key, group }),
                None => self.of_call.extend(self.find_long(wanted).map(|entry| entry.key)),
            }
        }
        number
    }

    /// The next number, for a key that has none.
    #[cold]
    fn add(&mut self, wanted: &Wanted<'_>) -> u32 {
        let number = number_of(self.numbers.len());
        let StateKey { group, key: wanted_bytes } = wanted.key;
        let key = wanted.short.map_or_else(
            || {
                let start = number_of(self.bytes.len());
                self.bytes.extend_from_slice(wanted_bytes);
                Key::Long { start, end: number_of(self.bytes.len()), hash: bits(wanted.hash), group }
            },
            |key| Key::Short { key, group },
        );
        self.key_bytes += wanted_bytes.len();
        let Self { hasher, numbers, bytes, .. } = self;
        let hash_again = |entry: &Entry| hasher.hash_one(entry.key.bytes(bytes));
        numbers.insert_unique(wanted.hash, Entry { key, number }, hash_again);
        number
    }

    /// Whether a number is one of the call's.
    pub(crate) fn is_of_call(&self, number: u32) -> bool {
        let (word, bit) = bit_of(number);
        self.is_of_call.get(word).is_some_and(|word| word & bit != 0)
    }

    /// The place of a number of the call among them.
    #[inline]
    fn place(&self, number: u32) -> u32 {
        debug_assert!(self.is_of_call(number), "{number} is not one of the call's numbers");
        self.places[number as usize]
    }

    /// The places of numbers of the call. It asks for most of them in the order in which it met them: these are not looked
    /// up.
    pub(crate) fn places<'a>(&'a self, numbers: &'a [u32]) -> impl Iterator<Item = u32> + use<'a> {
        let mut next = 0;
        numbers.iter().map(move |number| {
            let place = match self.numbers_of_call.get(next as usize) {
                Some(there) if there == number => next,
                _ => self.place(*number),
            };
            next = place + 1;
            place
        })
    }

    /// The key at a place.
    #[inline]
    pub(crate) fn key_at(&self, place: u32) -> StateKey<'_> {
        let key = &self.of_call[place as usize];
        StateKey { group: key.group(), key: key.bytes(&self.bytes) }
    }

    /// The key of a number of the call.
    pub(crate) fn key(&self, number: u32) -> StateKey<'_> {
        self.key_at(self.place(number))
    }
}

/// Where the bit of a number is, among words.
fn bit_of(number: u32) -> (usize, u64) {
    ((number / u64::BITS) as usize, 1 << (number % u64::BITS))
}

/// Far below 2^32: see KEYS_LIVE_MAX, KEY_BYTES_LIVE_MAX, and what one call may have.
fn number_of(many: usize) -> u32 {
    u32::try_from(many).unwrap_or(u32::MAX)
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
        assert_eq!(groups.key(2), key(""));
        groups.begin();
        assert_eq!(["", "b"].map(|text| groups.of_call(key(text))), [2, 1]);
        assert!(groups.is_of_call(1) && !groups.is_of_call(0), "known, and not of this call");
        let places = |numbers: &[u32]| groups.places(numbers).collect::<Vec<_>>();
        assert_eq!(places(&[2, 1]), [0, 1], "in the order of the call");
        assert_eq!(places(&[1, 2, 1, 1]), [1, 0, 1, 1], "in any other");
        assert_eq!([2, 1].map(|number| groups.key(number)), ["", "b"].map(key));
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
            let of = |row: usize| StateKey { group: KeyGroup(3), key: &keys[row] };
            let numbers = groups.of_call_many(0..keys.len(), of);
            for (key, number) in keys.iter().zip(numbers) {
                assert_eq!(
                    (distinct[number as usize], groups.of_call(StateKey { group: KeyGroup(3), key })),
                    (key, number)
                );
                assert_eq!(groups.key(number), StateKey { group: KeyGroup(3), key });
            }
        }
        assert_eq!((groups.len(), groups.key_bytes()), (distinct.len(), distinct.iter().map(|key| key.len()).sum()));
    }
}
