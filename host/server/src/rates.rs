//! How many rows a second each node has put through lately: over the last second, not since the start.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use volley_runtime::{JobProgress, NodeRole};

use crate::summary::per_second;

/// Over how long rates are taken.
const WINDOW: Duration = Duration::from_secs(1);
/// Samples that are kept at most, however often somebody looks.
const SAMPLES_MAX: usize = 64;

/// The counts of the last second.
#[derive(Debug, Default)]
pub(crate) struct Rates(VecDeque<(Instant, Vec<u64>)>);

impl Rates {
    /// Notes the counts as they stand, and gives the rows per second of each node since the window began; `None` before
    /// there is anything to compare with.
    pub(crate) fn take(&mut self, now: Instant, progress: &JobProgress) -> Vec<Option<u64>> {
        let rows = |role: NodeRole, rows_in, rows_out| if role == NodeRole::Source { rows_out } else { rows_in };
        let counts: Vec<u64> = progress.nodes.iter().map(|node| rows(node.role, node.rows_in, node.rows_out)).collect();
        // The last sample that is older than the window stays: a look at every five seconds has a rate too.
        while self.0.len() > 1 && now.duration_since(self.0[1].0) >= WINDOW {
            self.0.pop_front();
        }
        let first = self.0.front();
        let rate = |(node, count): (usize, &u64)| {
            let (since, before) = first?;
            let elapsed = now.duration_since(*since);
            let before = before.get(node)?;
            (!elapsed.is_zero()).then(|| per_second(count.saturating_sub(*before), elapsed))
        };
        let rates = counts.iter().enumerate().map(rate).collect();
        if self.0.len() < SAMPLES_MAX {
            self.0.push_back((now, counts));
        }
        rates
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::progress;

    #[test]
    fn rates_are_of_the_last_second() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        let mut now = progress();
        let mut at = |ms: u64, rows: u64| {
            now.nodes[0].rows_out = rows;
            rates.take(start + Duration::from_millis(ms), &now)[0]
        };
        assert_eq!(at(0, 1_000), None);
        assert_eq!(at(500, 2_000), Some(2_000));
        assert_eq!(at(1_000, 3_000), Some(2_000));
        assert_eq!(at(1_500, 3_000), Some(1_000), "since 500 ms");
        assert_eq!(at(2_500, 3_000), Some(0), "it has stood still");
        assert_eq!(at(7_500, 8_000), Some(1_000), "seldom looked at");
    }
}
