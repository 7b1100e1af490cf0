//! Time and chance behind traits, so that tests and replays decide both.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the host reads the time of day.
pub trait Clock: Send + Sync + Debug {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&self) -> u64;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A clock that stands still until told.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows `now_ms`.
    #[must_use]
    pub fn at(now_ms: u64) -> Self {
        Self(AtomicU64::new(now_ms))
    }

    /// Sets the time.
    pub fn set(&self, now_ms: u64) {
        self.0.store(now_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Where seeds for reproducible chance come from: one per job, from which each consumer derives its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeedSource(u64);

impl SeedSource {
    /// A source that starts from the job's own seed.
    #[must_use]
    pub fn new(job_seed: u64) -> Self {
        Self(job_seed)
    }

    /// A seed for one consumer. The same job seed and parts give the same seed on every machine and in every
    /// version: FNV-1a over length-prefixed parts, then the finaliser of SplitMix64.
    #[must_use]
    pub fn derive(self, parts: &[&[u8]]) -> u64 {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325 ^ self.0;
        let mut eat = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        for part in parts {
            (part.len() as u64).to_le_bytes().into_iter().for_each(&mut eat);
            part.iter().copied().for_each(&mut eat);
        }
        split_mix_64(hash.wrapping_add(0x9e37_79b9_7f4a_7c15))
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014): states that
/// follow each other become numbers that look unrelated. Frozen: replays and resumed jobs must see the same numbers.
#[must_use]
pub fn split_mix_64(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_depend_on_every_part() {
        let seeds = SeedSource::new(7);
        let base = seeds.derive(&[b"enrich", b"0"]);
        assert_eq!(base, SeedSource::new(7).derive(&[b"enrich", b"0"]));
        for other in [
            seeds.derive(&[b"enrich", b"1"]),
            seeds.derive(&[b"enrich0", b""]),
            SeedSource::new(8).derive(&[b"enrich", b"0"]),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn the_manual_clock_stands_still() {
        let clock = ManualClock::at(5);
        assert_eq!(clock.now_ms(), 5);
        clock.set(9);
        assert_eq!(clock.now_ms(), 9);
        assert!(SystemClock.now_ms() > 1_700_000_000_000);
    }
}
