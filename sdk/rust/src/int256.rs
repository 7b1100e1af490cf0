//! Integers of 256 bits, for decimals of more than 38 digits.

/// A signed integer of 256 bits in two's complement, as decimals of more than 38 digits hold it. It carries values;
/// arithmetic is left to a library of the author's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Int256 {
    /// The upper half, with the sign.
    pub high: i128,
    /// The lower half.
    pub low: u128,
}

impl Int256 {
    /// The nearest float.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        // From the magnitude: halves of opposite signs would cancel out all digits of a small negative number.
        if self.high < 0 {
            let (low, carry) = (!self.low).overflowing_add(1);
            let high = (!self.high as u128).wrapping_add(u128::from(carry));
            return -(high as f64 * 2f64.powi(128) + low as f64);
        }
        self.high as f64 * 2f64.powi(128) + self.low as f64
    }

    /// From the halves as they lie in memory.
    pub(crate) fn from_halves([low, high]: [u128; 2]) -> Self {
        Self { high: high as i128, low }
    }

    /// The halves as they lie in memory.
    pub(crate) fn to_halves(self) -> [u128; 2] {
        [self.low, self.high as u128]
    }
}

impl From<i128> for Int256 {
    fn from(value: i128) -> Self {
        Self { high: if value < 0 { -1 } else { 0 }, low: value as u128 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_values_keep_their_sign() {
        let value = Int256::from(-5);
        assert_eq!(value.to_f64(), -5.0);
        assert_eq!(Int256 { high: -1, low: 0 }.to_f64(), -(2f64.powi(128)));
        assert_eq!(Int256::from_halves(value.to_halves()), value);
    }
}
