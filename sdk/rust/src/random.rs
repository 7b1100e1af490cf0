//! Reproducible chance: a replayed call sees the same numbers. Not for secrets. Native tests choose the seed with
//! [`seed`]; it is 0 at first.

/// The next 64 bits.
#[must_use]
pub fn next_u64() -> u64 {
    backend::next_u64()
}

/// A number from 0 up to, but not, 1.
#[must_use]
pub fn next_f64() -> f64 {
    // 53 bits are what a float of that range holds.
    (next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(target_arch = "wasm32")]
mod backend {
    pub(super) fn next_u64() -> u64 {
        crate::guest::imports::volley::operator::random::next_u64()
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub use backend::seed;

#[cfg(not(target_arch = "wasm32"))]
mod backend {
    use std::cell::Cell;

    thread_local! {
        static STATE: Cell<u64> = const { Cell::new(0) };
    }

    /// Starts the numbers of this thread anew. Only in native tests.
    pub fn seed(seed: u64) {
        STATE.set(seed);
    }

    /// SplitMix64: short, and good enough for tests.
    pub(super) fn next_u64() -> u64 {
        let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        STATE.set(state);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        super::seed(7);
        let first = [super::next_u64(), super::next_u64()];
        super::seed(7);
        assert_eq!(first, [super::next_u64(), super::next_u64()]);
        assert!((0..100).all(|_| (0.0..1.0).contains(&super::next_f64())));
    }
}
