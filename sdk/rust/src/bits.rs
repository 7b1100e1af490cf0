//! Bitmaps in Arrow's layout: one bit per row, least significant first.

use crate::buffer::Buffer;

/// A bitmap that belongs to someone else.
#[derive(Debug, Clone, Copy)]
pub struct Bits<'a> {
    bytes: &'a [u8],
    start: usize,
    len: usize,
}

impl<'a> Bits<'a> {
    /// `len` bits from bit `start` of `bytes`.
    ///
    /// # Panics
    /// When `bytes` is too short for them.
    #[must_use]
    pub fn new(bytes: &'a [u8], start: usize, len: usize) -> Self {
        if start + len > bytes.len() * 8 {
            beyond("bits", start + len, bytes.len() * 8);
        }
        Self { bytes, start, len }
    }

    /// Number of bits.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no bit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bit at `index`.
    ///
    /// # Panics
    /// When `index` is not below the length.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> bool {
        if index >= self.len {
            beyond("bits", index, self.len);
        }
        let at = self.start + index;
        self.bytes[at / 8] >> (at % 8) & 1 == 1
    }

    /// How many bits are 1.
    #[must_use]
    pub fn count_ones(&self) -> usize {
        if self.start.is_multiple_of(8) {
            let (whole, tail) = self.bytes[self.start / 8..].split_at(self.len / 8);
            let (words, rest) = whole.as_chunks::<8>();
            let ones = |word: &[u8; 8]| u64::from_le_bytes(*word).count_ones() as usize;
            let tail = if self.len.is_multiple_of(8) { 0 } else { tail[0] & !(0xff << (self.len % 8)) };
            return words.iter().map(ones).sum::<usize>()
                + rest.iter().chain([&tail]).map(|byte| byte.count_ones() as usize).sum::<usize>();
        }
        (0..self.len.div_ceil(8)).map(|index| self.eight(index).count_ones() as usize).sum()
    }

    /// The bits from bit `8 * index` on; zeros beyond the end.
    #[inline]
    pub(crate) fn eight(&self, index: usize) -> u8 {
        let at = self.start + index * 8;
        let pair = u16::from(self.bytes[at / 8]) | u16::from(self.bytes.get(at / 8 + 1).copied().unwrap_or(0)) << 8;
        let left = self.len - index * 8;
        let byte = (pair >> (at % 8)) as u8;
        if left < 8 { byte & !(0xff << left) } else { byte }
    }

    /// Writes the bits to bytes, from the first bit on.
    pub(crate) fn copy_to(&self, bytes: &mut [u8]) {
        let count = self.len.div_ceil(8);
        if self.start.is_multiple_of(8) {
            bytes[..count].copy_from_slice(&self.bytes[self.start / 8..][..count]);
        } else {
            (0..count).zip(bytes).for_each(|(index, byte)| *byte = self.eight(index));
        }
    }

    /// `len` of the bits, from bit `start` on.
    ///
    /// # Panics
    /// When there are fewer.
    #[must_use]
    pub fn slice(&self, start: usize, len: usize) -> Self {
        Self::new(self.bytes, self.start + start, len)
    }
}

/// There are not so many. Once for all who ask: a message of its own would stand in every loop.
#[cold]
#[inline(never)]
#[track_caller]
pub(crate) fn beyond(what: &str, wanted: usize, there: usize) -> ! {
    panic!("{what} end before {wanted}: there are {there}")
}

/// A bitmap under construction.
#[derive(Debug, Clone, Default)]
pub struct BitsBuilder {
    bytes: Buffer,
    len: usize,
}

impl BitsBuilder {
    /// An empty bitmap.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A bitmap of `len` equal bits.
    #[must_use]
    pub fn filled(len: usize, bit: bool) -> Self {
        let mut bytes = Buffer::new();
        bytes.extend_filled(len.div_ceil(8), if bit { 0xff } else { 0 });
        Self { bytes, len }
    }

    /// A bitmap of these bits.
    #[must_use]
    pub fn from_bools(bools: &[bool]) -> Self {
        let mut bytes = Buffer::new();
        let (eights, rest) = bools.as_chunks::<8>();
        let packed = bytes.extend_any(bools.len().div_ceil(8));
        for (byte, eight) in packed.iter_mut().zip(eights) {
            *byte = pack(*eight);
        }
        if !rest.is_empty() {
            let mut eight = [false; 8];
            eight[..rest.len()].copy_from_slice(rest);
            packed[eights.len()] = pack(eight);
        }
        Self { bytes, len: bools.len() }
    }

    /// A bitmap of `len` bits that lie in these bytes.
    pub(crate) fn from_buffer(bytes: Buffer, len: usize) -> Self {
        debug_assert_eq!(bytes.len(), len.div_ceil(8));
        Self { bytes, len }
    }

    /// One bit more.
    #[inline]
    pub fn push(&mut self, bit: bool) {
        let at = self.len % 8;
        if at == 0 {
            self.bytes.push(u8::from(bit));
        } else if let Some(last) = self.bytes.bytes_mut().last_mut() {
            // A builder made by `filled` may have ones beyond its end.
            *last = *last & !(1 << at) | u8::from(bit) << at;
        }
        self.len += 1;
    }

    /// Number of bits.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no bit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bits so far.
    #[must_use]
    pub fn bits(&self) -> Bits<'_> {
        Bits::new(self.bytes.bytes(), 0, self.len)
    }

    /// The bits, in ceil(len / 8) bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.bytes().to_vec()
    }

    pub(crate) fn into_buffer(self) -> Buffer {
        self.bytes
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.bytes_mut()
    }
}

/// Eight bits in a byte, without a branch.
#[inline]
pub(crate) fn pack(bits: [bool; 8]) -> u8 {
    let [a, b, c, d, e, f, g, h] = bits.map(u8::from);
    a | b << 1 | c << 2 | d << 3 | e << 4 | f << 5 | g << 6 | h << 7
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_come_back(head in 0usize..20, fill: bool, tail in prop::collection::vec(any::<bool>(), 0..40)) {
            let mut builder = BitsBuilder::filled(head, fill);
            tail.iter().for_each(|bit| builder.push(*bit));
            let len = builder.len();
            let bytes = builder.into_bytes();
            let bits = Bits::new(&bytes, 0, len);
            let mut wanted = vec![fill; head];
            wanted.extend(&tail);
            let found: Vec<bool> = (0..len).map(|index| bits.get(index)).collect();
            prop_assert_eq!(&found, &wanted);
            prop_assert_eq!(bits.count_ones(), wanted.iter().filter(|bit| **bit).count());
            let mut copied = vec![0; len.div_ceil(8)];
            let shift = 3.min(len);
            let shifted = bits.slice(shift, len - shift);
            prop_assert_eq!(shifted.count_ones(), wanted[shift..].iter().filter(|bit| **bit).count());
            shifted.copy_to(&mut copied);
            let copied = Bits::new(&copied, 0, len - shift);
            prop_assert!((shift..len).all(|index| copied.get(index - shift) == wanted[index]));
            let packed = BitsBuilder::from_bools(&tail).into_bytes();
            let packed = Bits::new(&packed, 0, tail.len());
            prop_assert!(tail.iter().enumerate().all(|(index, bit)| packed.get(index) == *bit));
        }
    }
}
