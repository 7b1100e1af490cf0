//! An entry in memory: keys and values that are short, as most are, stand in it, others behind a pointer.

use std::hash::BuildHasher;

use bytes::Bytes;
use volley_api::{KeyGroup, ShortKey, StateKey};

/// The bytes of a key.
#[derive(Debug)]
pub(crate) enum Key {
    Short(ShortKey),
    Long(Box<[u8]>),
}

impl Key {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(key) => key.bytes(),
            Self::Long(key) => key,
        }
    }
}

/// A key that is looked up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) group: KeyGroup,
    pub(crate) hash: u64,
    bytes: &'a [u8],
    short: Option<ShortKey>,
}

impl<'a> Wanted<'a> {
    #[inline]
    pub(crate) fn new(key: StateKey<'a>, hasher: &impl BuildHasher) -> Self {
        let StateKey { group, key } = key;
        Self { group, hash: hasher.hash_one(key), bytes: key, short: ShortKey::new(key) }
    }

    #[inline]
    pub(crate) fn is(&self, key: &Key) -> bool {
        match (&self.short, key) {
            (Some(short), Key::Short(key)) => short == key,
            (None, Key::Long(key)) => *self.bytes == **key,
            _ => false,
        }
    }

    pub(crate) fn key(&self) -> Key {
        self.short.map_or_else(|| Key::Long(self.bytes.into()), Key::Short)
    }
}

/// The bytes of a value.
#[derive(Debug)]
pub(crate) enum Value {
    Short { length: u8, bytes: [u8; Value::SHORT_BYTES_MAX] },
    Long(Bytes),
}

impl Value {
    /// The most that stands in the entry itself: what the room for a longer one leaves. Two numbers fit as Arrow's row
    /// format has them, or one and the time at which it was written.
    pub(crate) const SHORT_BYTES_MAX: usize = 23;

    #[inline]
    pub(crate) fn new(value: &[u8]) -> Self {
        match u8::try_from(value.len()) {
            Ok(length) if value.len() <= Self::SHORT_BYTES_MAX => {
                let mut bytes = [0; Self::SHORT_BYTES_MAX];
                bytes[..value.len()].copy_from_slice(value);
                Self::Short { length, bytes }
            }
            _ => Self::Long(Bytes::copy_from_slice(value)),
        }
    }

    /// Takes the place of what there was; in place where both are short.
    #[inline]
    pub(crate) fn set(&mut self, value: &[u8]) {
        if let (Self::Short { length, bytes }, Ok(now)) = (&mut *self, u8::try_from(value.len()))
            && let Some(bytes) = bytes.get_mut(..value.len())
        {
            bytes.copy_from_slice(value);
            *length = now;
        } else {
            *self = Self::new(value);
        }
    }

    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes } => &bytes[..usize::from(*length)],
            Self::Long(value) => value,
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes().len()
    }
}

/// What is given out of a table.
#[derive(Clone, Copy)]
pub(crate) enum Part<'a> {
    None,
    Key(&'a Key),
    Value(&'a Value),
}

/// Gives out parts in order. What is short is copied to one place for all of them, which lives as long as one of them does:
/// so they must be few. A long value is shared with the table, a long key copied to a place of its own.
pub(crate) fn give(parts: &[Part<'_>], mut each: impl FnMut(Option<Bytes>)) {
    let mut copied = Vec::with_capacity(parts.len() * (ShortKey::BYTES_MAX + 1));
    for part in parts {
        match part {
            Part::Value(Value::Short { length, bytes }) => {
                // All of its room, which is of one size, and then back: copying some bytes is a call of its own otherwise.
                let end = copied.len() + usize::from(*length);
                copied.extend_from_slice(bytes);
                copied.truncate(end);
            }
            Part::Key(Key::Short(key)) => copied.extend_from_slice(key.bytes()),
            Part::Key(Key::Long(_)) | Part::Value(Value::Long(_)) | Part::None => {}
        }
    }
    let mut copied = Bytes::from(copied);
    for part in parts {
        each(match part {
            Part::None => None,
            Part::Key(Key::Short(key)) => Some(copied.split_to(key.bytes().len())),
            Part::Key(Key::Long(key)) => Some(Bytes::copy_from_slice(key)),
            Part::Value(Value::Short { length, .. }) => Some(copied.split_to(usize::from(*length))),
            Part::Value(Value::Long(value)) => Some(value.clone()),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasherDefault, DefaultHasher};

    use super::*;

    #[test]
    fn keys_and_values_fill_a_line_of_the_processors_memory() {
        assert_eq!((size_of::<Key>(), size_of::<Value>()), (32, 32));
    }

    fn wanted(key: &[u8]) -> Wanted<'_> {
        Wanted::new(StateKey { group: KeyGroup(7), key }, &BuildHasherDefault::<DefaultHasher>::default())
    }

    #[test]
    fn what_is_kept_is_given_out_whatever_its_length() {
        let text = b"values of any length, of which the short ones stand in the entry itself";
        let values: Vec<Value> = (0..=text.len()).map(|length| Value::new(&text[..length])).collect();
        let keys: Vec<Key> = (0..=text.len()).map(|length| wanted(&text[..length]).key()).collect();
        let both = keys.iter().zip(&values).flat_map(|(key, value)| [Part::Key(key), Part::None, Part::Value(value)]);
        let mut given = Vec::new();
        give(&both.collect::<Vec<_>>(), |part| given.push(part));
        for (length, given) in given.chunks(3).enumerate() {
            let there = Some(&text[..length]);
            assert_eq!([given[0].as_deref(), given[1].as_deref(), given[2].as_deref()], [there, None, there]);
            assert_eq!((keys[length].bytes(), values[length].len()), (&text[..length], length));
        }
        for (from, to) in (0..=text.len()).flat_map(|from| [0, 5, 23, 24, text.len()].map(|to| (from, to))) {
            let mut value = Value::new(&text[..from]);
            value.set(&text[..to]);
            assert_eq!(value.bytes(), &text[..to], "{to} in the place of {from}");
            assert_eq!(matches!(value, Value::Short { .. }), to <= Value::SHORT_BYTES_MAX);
        }
        for length in 0..text.len() {
            assert!(wanted(&text[..length]).is(&keys[length]) && !wanted(&text[..=length]).is(&keys[length]));
        }
    }
}
