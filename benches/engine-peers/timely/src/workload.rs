//! The rows of the workload, and what results are checked by: the same formulas as in README.md.

/// A tumbling window, in milliseconds.
pub(crate) const WINDOW_MS: u64 = 60_000;
const USERS: u64 = 100_000;
const AMOUNTS: u64 = 200;

/// A row.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub(crate) struct Row {
    pub(crate) user_id: u64,
    pub(crate) amount: u64,
    pub(crate) time_ms: u64,
}

/// Row `i`.
#[inline]
pub(crate) fn row(i: u64) -> Row {
    Row { user_id: mix(2 * i) % USERS, amount: mix(2 * i + 1) % AMOUNTS, time_ms: time_ms(i) }
}

#[inline]
pub(crate) fn time_ms(i: u64) -> u64 {
    i / 100
}

/// SplitMix64: the first number that it gives from the state `x` on.
#[inline]
fn mix(x: u64) -> u64 {
    let z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Results, counted and checked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Total {
    pub(crate) results: u64,
    pub(crate) checksum: u64,
}

impl Total {
    /// Adds a result that counts as `check`.
    pub(crate) fn add(&mut self, check: u64) {
        self.results += 1;
        self.checksum = self.checksum.wrapping_add(check);
    }

    pub(crate) fn merge(self, other: Self) -> Self {
        Self { results: self.results + other.results, checksum: self.checksum.wrapping_add(other.checksum) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published first number of SplitMix64 from state 0 on.
    #[test]
    fn the_formula_is_split_mix_64() {
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!((row(0).user_id, row(0).time_ms, row(12_345).time_ms), (mix(0) % 100_000, 0, 123));
    }
}
