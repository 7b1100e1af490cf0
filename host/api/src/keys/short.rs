//! Keys that are short, as most are, in a few words of their own.

/// The bytes of a key of at most [`ShortKey::BYTES_MAX`], with their number, at one place and of one size.
///
/// Tables keep it beside what the key stands for: looking a key up is one look at memory that is far away instead of two,
/// and the comparison is one of words. Two columns of numbers fit, or a text of 16 bytes, as
/// [`KeyCodec`](crate::KeyCodec) writes them.
#[derive(Debug, Clone, Copy, Eq)]
pub struct ShortKey {
    /// The bytes, then zeros, and in the last byte their number: aligned to nothing, so that what stands beside it is near.
    bytes: [u8; ShortKey::WORDS * WORD_BYTES],
}

const WORD_BYTES: usize = size_of::<u64>();

impl ShortKey {
    const WORDS: usize = 3;

    /// How many bytes it holds at most: what is left of three words beside their number.
    pub const BYTES_MAX: usize = Self::WORDS * WORD_BYTES - 1;

    /// These bytes, unless they are too many.
    #[inline]
    #[must_use]
    pub fn new(key: &[u8]) -> Option<Self> {
        let length = key.len();
        if length > Self::BYTES_MAX {
            return None;
        }
        // By words, the last of which overlaps those before: copying some bytes is a call of its own otherwise, and words
        // that were written as bytes are slow to read.
        let mut words = [0; Self::WORDS];
        match (key.first_chunk(), key.last_chunk()) {
            (Some(first), Some(last)) => {
                words[0] = u64::from_le_bytes(*first);
                let mut at = 1;
                if let Some(second) = key[WORD_BYTES..].first_chunk() {
                    words[1] = u64::from_le_bytes(*second);
                    at = 2;
                }
                let known_bits = 8 * ((at + 1) * WORD_BYTES - length) as u32;
                words[at] = u64::from_le_bytes(*last).checked_shr(known_bits).unwrap_or_default();
            }
            _ => {
                let mut bytes = [0; WORD_BYTES];
                bytes[..length].copy_from_slice(key);
                words[0] = u64::from_le_bytes(bytes);
            }
        }
        words[Self::WORDS - 1] |= (length as u64) << (u64::BITS - u8::BITS);
        Some(Self { bytes: bytemuck::cast(words.map(u64::to_le)) })
    }

    /// The bytes of the key.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.bytes[Self::BYTES_MAX])]
    }

    #[inline]
    fn words(&self) -> [u64; Self::WORDS] {
        bytemuck::pod_read_unaligned(&self.bytes)
    }
}

impl PartialEq for ShortKey {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.words() == other.words()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_and_one_too_many_is_refused() {
        let text = b"keys that are short, and one that is not";
        for length in 0..=ShortKey::BYTES_MAX {
            let key = ShortKey::new(&text[..length]).unwrap();
            assert_eq!(key.bytes(), &text[..length]);
            let mut other = *text;
            other[length..].fill(0xff);
            assert_eq!(Some(key), ShortKey::new(&other[..length]), "what stands behind it leaves no trace");
            if length > 0 {
                other[length - 1] ^= 1;
                assert_ne!(Some(key), ShortKey::new(&other[..length]), "every byte counts");
            }
        }
        assert_eq!(ShortKey::new(&text[..=ShortKey::BYTES_MAX]), None);
        assert_eq!(ShortKey::new(&[7; 256]), None, "a length is not cut short");
    }

    #[test]
    fn zeros_at_the_end_count() {
        let keys: Vec<ShortKey> =
            (0..=ShortKey::BYTES_MAX).filter_map(|zeros| ShortKey::new(&vec![0; zeros])).collect();
        for (place, key) in keys.iter().enumerate() {
            assert_eq!(keys.iter().position(|other| other == key), Some(place));
        }
        assert_eq!(keys.len(), ShortKey::BYTES_MAX + 1);
    }
}
