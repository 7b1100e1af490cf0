//! The handles that a hot path holds: atomics behind an `Arc`, without a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bounds of one histogram.
pub const BOUNDS_MAX: usize = 64;

/// A sum that only grows. Clones count together. It wraps at the greatest `u64`, which no reader takes for a decrease
/// within the life of a process.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Adds a time, for a metric of [`Unit::Seconds`](crate::Unit::Seconds).
    pub fn add_time(&self, time: Duration) {
        self.add(nanos(time));
    }

    /// The sum so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down, by whole steps. Clones are one number.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Raises it.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Lowers it. Whoever lowers it has raised it by as much before.
    pub fn sub(&self, amount: u64) {
        self.0.fetch_sub(amount, Ordering::Relaxed);
    }

    /// The number as it stands.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How observations spread over fixed bounds. Clones count together.
#[derive(Debug, Clone)]
pub struct Histogram(Arc<Buckets>);

#[derive(Debug)]
struct Buckets {
    bounds: &'static [u64],
    /// One for each bound, and one for what lies beyond the last.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    /// An empty one. A bucket holds what is at most its bound and more than the bound before.
    ///
    /// # Panics
    /// When the bounds do not ascend or there are more than [`BOUNDS_MAX`].
    #[must_use]
    pub fn new(bounds: &'static [u64]) -> Self {
        assert!(bounds.len() <= BOUNDS_MAX, "{} bounds, the limit is {BOUNDS_MAX}", bounds.len());
        assert!(bounds.is_sorted_by(|a, b| a < b), "bounds ascend: {bounds:?}");
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Buckets { bounds, counts, sum: AtomicU64::new(0) }))
    }

    /// Counts one observation.
    pub fn observe(&self, value: u64) {
        let bucket = self.0.bounds.partition_point(|bound| *bound < value);
        self.0.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.0.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Counts one time, for a metric of [`Unit::Seconds`](crate::Unit::Seconds).
    pub fn observe_time(&self, time: Duration) {
        self.observe(nanos(time));
    }

    /// What it has counted so far. Buckets and their total agree; an observation made at this very moment may be in
    /// them and not yet in the sum.
    #[must_use]
    pub fn snapshot(&self) -> HistogramSnapshot {
        HistogramSnapshot {
            bounds: self.0.bounds,
            counts: self.0.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: self.0.sum.load(Ordering::Relaxed),
        }
    }
}

/// What a histogram had counted at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistogramSnapshot {
    /// The bounds, ascending.
    pub bounds: &'static [u64],
    /// Observations in each bucket alone, and last those beyond all bounds.
    pub counts: Vec<u64>,
    /// The sum of all observations.
    pub sum: u64,
}

impl HistogramSnapshot {
    /// How many observations there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Adds what another of the same bounds has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(mine, theirs)| *mine += theirs);
        self.sum += other.sum;
    }
}

/// 584 years fit.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn clones_count_together_from_many_threads() {
        let (counter, gauge, histogram) = (Counter::default(), Gauge::default(), Histogram::new(&[10, 100]));
        thread::scope(|scope| {
            for _ in 0..4 {
                let (counter, gauge, histogram) = (counter.clone(), gauge.clone(), histogram.clone());
                scope.spawn(move || {
                    for value in 0..1_000 {
                        counter.add(2);
                        gauge.add(3);
                        gauge.sub(2);
                        histogram.observe(value);
                    }
                });
            }
        });
        assert_eq!((counter.get(), gauge.get()), (8_000, 4_000));
        let seen = histogram.snapshot();
        assert_eq!(seen.counts, [4 * 11, 4 * 90, 4 * 899]);
        assert_eq!((seen.count(), seen.sum), (4_000, 4 * 499_500));
    }

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let histogram = Histogram::new(&[1_000]);
        histogram.observe_time(Duration::from_micros(1));
        histogram.observe_time(Duration::from_nanos(1_001));
        assert_eq!(histogram.snapshot().counts, [1, 1]);
        assert_eq!(Histogram::new(&[]).snapshot().counts, [0], "without bounds there is one bucket");
    }

    #[test]
    #[should_panic(expected = "bounds ascend")]
    fn bounds_that_do_not_ascend_are_a_mistake() {
        let _ = Histogram::new(&[1, 1]);
    }
}
