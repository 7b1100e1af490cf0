//! How long messages take in a chain, spread over fixed bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000 * MICROSECOND;

/// Bounds in nanoseconds, in steps of about three: a filter takes microseconds, a plugin milliseconds, and a chain whose
/// receiver has no room as long as that takes.
const BOUNDS_NS: [u64; 14] = [
    3 * MICROSECOND,
    10 * MICROSECOND,
    30 * MICROSECOND,
    100 * MICROSECOND,
    300 * MICROSECOND,
    MILLISECOND,
    3 * MILLISECOND,
    10 * MILLISECOND,
    30 * MILLISECOND,
    100 * MILLISECOND,
    300 * MILLISECOND,
    1_000 * MILLISECOND,
    3_000 * MILLISECOND,
    10_000 * MILLISECOND,
];

/// What the subtasks of a chain count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct StageLatency(Arc<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    /// One for each bound, and one for what lies beyond the last.
    counts: [AtomicU64; BOUNDS_NS.len() + 1],
    sum_ns: AtomicU64,
}

impl StageLatency {
    /// Counts one message.
    pub(crate) fn observe(&self, time: Duration) {
        // 584 years fit.
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_NS.partition_point(|bound| *bound < ns);
        self.0.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.0.sum_ns.fetch_add(ns, Ordering::Relaxed);
    }

    pub(crate) fn progress(&self, node: &str) -> StageProgress {
        StageProgress {
            node: node.to_owned(),
            bounds_ns: &BOUNDS_NS,
            counts: self.0.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum_ns: self.0.sum_ns.load(Ordering::Relaxed),
        }
    }
}

/// How long messages have taken in one chain so far: from when its thread took one in until everything that it made of it
/// had been handed on, waits for room included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageProgress {
    /// The first node of the chain.
    pub node: String,
    /// Bounds of the buckets in nanoseconds, ascending; a bucket holds what is at most its bound and more than the one before.
    pub bounds_ns: &'static [u64],
    /// Messages in each bucket alone, and last those beyond all bounds.
    pub counts: Vec<u64>,
    /// The sum of all times, in nanoseconds.
    pub sum_ns: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let latency = StageLatency::default();
        for ns in [0, 3_000, 3_001, u64::MAX] {
            latency.clone().observe(Duration::from_nanos(ns));
        }
        let seen = latency.progress("in");
        assert!(seen.bounds_ns.is_sorted_by(|a, b| a < b));
        assert_eq!((seen.counts[0], seen.counts[1], seen.counts[14]), (2, 1, 1));
        assert_eq!(seen.counts.iter().sum::<u64>(), 4);
    }
}
