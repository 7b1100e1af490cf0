//! How long messages take in a chain, and barriers hold it up, spread over fixed bounds.

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

/// Bounds in nanoseconds for barriers, so close that a percentile can be read from them.
const BARRIER_BOUNDS_NS: [u64; 30] = {
    let mut bounds = [0; 30];
    let mut at = 0;
    let mut unit = 10 * MICROSECOND;
    while at < bounds.len() {
        let steps = [1, 2, 3, 5, 7];
        bounds[at] = unit * steps[at % steps.len()];
        at += 1;
        if at % steps.len() == 0 {
            unit *= 10;
        }
    }
    bounds
};

/// A chain, by its first node, and what its subtasks count together.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) node: String,
    /// How long messages take.
    pub(crate) latency: StageLatency,
    /// How long a barrier holds it up.
    pub(crate) barriers: StageLatency,
}

impl Stage {
    pub(crate) fn new(node: String) -> Self {
        Self { node, latency: StageLatency::within(&BOUNDS_NS), barriers: StageLatency::within(&BARRIER_BOUNDS_NS) }
    }
}

/// Times, counted by bucket.
#[derive(Debug, Clone)]
pub(crate) struct StageLatency(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    bounds_ns: &'static [u64],
    /// One for each bound, and one for what lies beyond the last.
    counts: Box<[AtomicU64]>,
    sum_ns: AtomicU64,
}

impl StageLatency {
    fn within(bounds_ns: &'static [u64]) -> Self {
        let counts = (0..=bounds_ns.len()).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Buckets { bounds_ns, counts, sum_ns: AtomicU64::new(0) }))
    }

    /// Counts one.
    pub(crate) fn observe(&self, time: Duration) {
        // 584 years fit.
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let bucket = self.0.bounds_ns.partition_point(|bound| *bound < ns);
        self.0.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.0.sum_ns.fetch_add(ns, Ordering::Relaxed);
    }

    pub(crate) fn progress(&self, node: &str) -> StageProgress {
        StageProgress {
            node: node.to_owned(),
            bounds_ns: self.0.bounds_ns,
            counts: self.0.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum_ns: self.0.sum_ns.load(Ordering::Relaxed),
        }
    }
}

/// How long messages have taken in one chain so far: from when its thread took one in until everything that it made of it
/// had been handed on, waits for room included. Or how long barriers have held it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageProgress {
    /// The first node of the chain.
    pub node: String,
    /// Bounds of the buckets in nanoseconds, ascending; a bucket holds what is at most its bound and more than the one before.
    pub bounds_ns: &'static [u64],
    /// Messages, or barriers, in each bucket alone, and last those beyond all bounds.
    pub counts: Vec<u64>,
    /// The sum of all times, in nanoseconds.
    pub sum_ns: u64,
}

impl StageProgress {
    /// The bound that so large a share of the times did not exceed, in nanoseconds: 0.5 for the median. `None` before the
    /// first, and where it lies beyond all bounds.
    #[must_use]
    pub fn within_ns(&self, share: f64) -> Option<u64> {
        let all: u64 = self.counts.iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "a share of a count")]
        let wanted = (all as f64 * share).ceil();
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            #[expect(clippy::cast_precision_loss, reason = "a share of a count")]
            let is_there = seen as f64 >= wanted && seen > 0;
            is_there
        });
        self.bounds_ns.get(bucket?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let latency = StageLatency::within(&BOUNDS_NS);
        for ns in [0, 3_000, 3_001, u64::MAX] {
            latency.clone().observe(Duration::from_nanos(ns));
        }
        let seen = latency.progress("in");
        assert!(seen.bounds_ns.is_sorted_by(|a, b| a < b));
        assert_eq!((seen.counts[0], seen.counts[1], seen.counts[14]), (2, 1, 1));
        assert_eq!(seen.counts.iter().sum::<u64>(), 4);
        assert_eq!((seen.within_ns(0.5), seen.within_ns(0.75), seen.within_ns(1.0)), (Some(3_000), Some(10_000), None));
    }

    #[test]
    fn the_bounds_of_barriers_reach_from_microseconds_to_seconds() {
        let stage = Stage::new("in".to_owned());
        let none = stage.barriers.progress(&stage.node);
        assert!(none.bounds_ns.is_sorted_by(|a, b| a < b));
        assert_eq!((none.bounds_ns[0], none.bounds_ns[29], none.within_ns(0.5)), (10_000, 7_000 * MILLISECOND, None));
    }
}
