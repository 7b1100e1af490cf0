//! Holds a source to a number of rows per second.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::Error;

/// How much of a second one batch may hold: small enough that rows come evenly.
const BATCHES_PER_SECOND: f64 = 10.0;

/// The pace of one source, shared by its readers.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    rows_per_second: f64,
    /// When the next batch may be read; `None` before the first.
    next: Mutex<Option<Instant>>,
}

impl RateLimiter {
    pub(crate) fn new(rows_per_second: f64) -> Result<Self, Error> {
        if rows_per_second.is_finite() && rows_per_second > 0.0 {
            return Ok(Self { rows_per_second, next: Mutex::new(None) });
        }
        Err(Error::Options(format!("`rate` is {rows_per_second}: use a number of rows per second above 0")))
    }

    /// The most rows of one batch.
    pub(crate) fn batch_rows_max(&self, asked: NonZeroUsize) -> NonZeroUsize {
        let share = (self.rows_per_second / BATCHES_PER_SECOND) as usize;
        NonZeroUsize::new(share).unwrap_or(NonZeroUsize::MIN).min(asked)
    }

    /// How long to wait before the next batch; `None` when it may be read now.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        next.and_then(|next| next.checked_duration_since(Instant::now())).filter(|wait| !wait.is_zero())
    }

    /// Notes that rows were given out.
    pub(crate) fn spend(&self, rows: usize) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        // A day at most, so that a tiny rate cannot overflow the clock.
        let cost = Duration::from_secs_f64((rows as f64 / self.rows_per_second).min(86_400.0));
        *next = Some(next.unwrap_or(now).max(now) + cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn rows_are_paid_for_in_time() {
        let limiter = RateLimiter::new(100.0).expect("a rate");
        let asked = NonZeroUsize::new(8192).expect("not zero");
        assert_eq!(limiter.batch_rows_max(asked).get(), 10);
        assert_eq!(limiter.wait(), None);
        limiter.spend(10);
        assert_eq!(limiter.wait(), Some(Duration::from_millis(100)));
        limiter.spend(10);
        assert_eq!(limiter.wait(), Some(Duration::from_millis(200)));
        tokio::time::advance(Duration::from_millis(200)).await;
        assert_eq!(limiter.wait(), None);
    }

    #[test]
    fn senseless_rates_are_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(RateLimiter::new(rate).is_err(), "{rate}");
        }
        assert_eq!(RateLimiter::new(0.5).expect("slow").batch_rows_max(NonZeroUsize::MIN).get(), 1);
    }
}
