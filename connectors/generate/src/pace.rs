//! How many rows are due by now. Knows no clock: the time is handed in.

use std::time::Duration;

/// Rows are given out in batches of this time's worth, so that a high rate does not come in batches of a row.
const TICK_MS: f64 = 10.0;
/// How much of the time that a reader could not be polled is made up for: what was missed before is lost, or a stall
/// would be followed by a flood.
const CATCH_UP_MS: f64 = 1000.0;
/// The longest wait between polls, so that a slow rate does not keep a reader asleep.
const WAIT_MS_MAX: f64 = 1000.0;

/// What a poll may do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Due {
    /// Give this many rows, at least one.
    Rows(usize),
    /// Wait.
    Wait(Duration),
}

/// A token bucket.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    rows_per_ms: f64,
    /// Rows that are due and were not given out yet.
    due: f64,
    last_ms: Option<u64>,
}

impl Pace {
    /// A pace of so many rows per second, more than 0. The first rows are due a tick after the first poll.
    pub(crate) fn new(rows_per_s: f64) -> Self {
        Self { rows_per_ms: rows_per_s / 1000.0, due: 0.0, last_ms: None }
    }

    /// What may be given out at `now_ms`, `rows_max` (not 0) at the most. Rows that are granted count as given out. A
    /// clock that is set back only delays.
    pub(crate) fn poll(&mut self, now_ms: u64, rows_max: usize) -> Due {
        let last_ms = self.last_ms.replace(now_ms).unwrap_or(now_ms);
        let passed_ms = now_ms.saturating_sub(last_ms) as f64;
        // However slow the pace, one row can become due.
        let due_max = (self.rows_per_ms * CATCH_UP_MS).max(1.0);
        self.due = (self.due + passed_ms * self.rows_per_ms).min(due_max);
        let batch = (self.rows_per_ms * TICK_MS).floor().clamp(1.0, rows_max as f64);
        // Sums of milliseconds' worth come out a little below the whole number at times.
        const ROUNDING: f64 = 1e-6;
        if self.due + ROUNDING < batch {
            let wait_ms = ((batch - self.due) / self.rows_per_ms).clamp(1.0, WAIT_MS_MAX);
            return Due::Wait(Duration::from_secs_f64(wait_ms.ceil() / 1000.0));
        }
        let rows = (self.due + ROUNDING).floor().min(rows_max as f64);
        self.due = (self.due - rows).max(0.0);
        Due::Rows(rows as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rows_come_by_the_tick_and_not_before() {
        let mut pace = Pace::new(1000.0);
        assert_eq!(pace.poll(500, 8192), Due::Wait(Duration::from_millis(10)));
        assert_eq!(pace.poll(504, 8192), Due::Wait(Duration::from_millis(6)));
        assert_eq!(pace.poll(510, 8192), Due::Rows(10));
        assert_eq!(pace.poll(510, 8192), Due::Wait(Duration::from_millis(10)));
        // In small batches, one after another.
        assert_eq!(pace.poll(525, 8), Due::Rows(8));
        assert_eq!(pace.poll(525, 8), Due::Wait(Duration::from_millis(1)));
    }

    #[test]
    fn a_stall_is_made_up_for_within_a_bound_and_time_may_go_back() {
        let mut pace = Pace::new(100.0);
        pace.poll(0, 1000);
        assert_eq!(pace.poll(60_000, 1000), Due::Rows(100));
        assert!(matches!(pace.poll(30_000, 1000), Due::Wait(_)));
        assert_eq!(pace.poll(30_010, 1000), Due::Rows(1));
    }

    #[test]
    fn less_than_a_row_a_second_is_possible() {
        let mut pace = Pace::new(0.1);
        assert_eq!(pace.poll(0, 1), Due::Wait(Duration::from_secs(1)));
        let rows = (1..=100).filter(|second| pace.poll(second * 1000, 1) == Due::Rows(1)).count();
        assert_eq!(rows, 10);
    }

    proptest! {
        #[test]
        fn the_rate_is_kept_however_often_it_is_polled(rate in 1.0f64..1e6, steps in prop::collection::vec(1u64..50, 1..400)) {
            let mut pace = Pace::new(rate);
            pace.poll(0, 8192);
            let (mut now_ms, mut rows) = (0, 0);
            for step in steps {
                now_ms += step;
                while let Due::Rows(more) = pace.poll(now_ms, 8192) {
                    rows += more;
                }
            }
            let expected = rate * now_ms as f64 / 1000.0;
            let batch = (rate * TICK_MS / 1000.0).clamp(1.0, 8192.0);
            prop_assert!(rows as f64 <= expected + 1e-3, "{rows} of {expected}");
            prop_assert!(rows as f64 >= expected - batch - 1e-3, "{rows} of {expected}");
        }
    }
}
