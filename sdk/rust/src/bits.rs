//! Bitmaps in Arrow's layout: one bit per row, least significant first.

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
        assert!(start + len <= bytes.len() * 8, "{} bytes hold no bits {start}..{}", bytes.len(), start + len);
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
        assert!(index < self.len, "bit {index} of {}", self.len);
        let at = self.start + index;
        self.bytes[at / 8] >> (at % 8) & 1 == 1
    }

    /// How many bits are 1.
    #[must_use]
    pub fn count_ones(&self) -> usize {
        (0..self.len).filter(|index| self.get(*index)).count()
    }

    pub(crate) fn slice(&self, start: usize, len: usize) -> Self {
        Self::new(self.bytes, self.start + start, len)
    }
}

/// A bitmap under construction.
#[derive(Debug, Clone, Default)]
pub struct BitsBuilder {
    bytes: Vec<u8>,
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
        let byte = if bit { 0xff } else { 0 };
        Self { bytes: vec![byte; len.div_ceil(8)], len }
    }

    /// A bitmap of these bits.
    #[must_use]
    pub fn from_bools(bools: &[bool]) -> Self {
        let bytes = bools
            .chunks(8)
            .map(|eight| eight.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << at))
            .collect();
        Self { bytes, len: bools.len() }
    }

    /// One bit more.
    #[inline]
    pub fn push(&mut self, bit: bool) {
        let at = self.len % 8;
        if at == 0 {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
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

    /// The bits, in ceil(len / 8) bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
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
            let packed = BitsBuilder::from_bools(&tail).into_bytes();
            let packed = Bits::new(&packed, 0, tail.len());
            prop_assert!(tail.iter().enumerate().all(|(index, bit)| packed.get(index) == *bit));
        }
    }
}
