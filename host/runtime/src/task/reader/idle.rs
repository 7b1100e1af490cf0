//! How long a split has had nothing, as far as its reader was there to ask it.

use std::time::{Duration, Instant};

/// How long a reader has waited for room behind it: nothing is asked meanwhile.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Blocked(Duration);

impl Blocked {
    /// It has waited again.
    pub(super) fn add(&mut self, waited: Duration) {
        self.0 += waited;
    }
}

/// Since when every poll of a split has had nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Idle {
    /// The first such poll, and how long the reader had waited for room by then.
    since: Option<(Instant, Duration)>,
    is_told: bool,
}

impl Idle {
    /// The split has given something.
    pub(super) fn ends(&mut self) {
        *self = Self::default();
    }

    /// Nothing is asked for a while: the time counts anew from the next poll on.
    pub(super) fn rests(&mut self) {
        self.since = None;
    }

    /// A poll had nothing. Whether the split has become idle with that, which is told once.
    pub(super) fn polled(&mut self, now: Instant, blocked: Blocked, after: Option<Duration>) -> bool {
        let (since, before) = *self.since.get_or_insert((now, blocked.0));
        let asked = now.saturating_duration_since(since).saturating_sub(blocked.0.saturating_sub(before));
        let is_idle = after.is_some_and(|after| asked >= after);
        is_idle && !std::mem::replace(&mut self.is_told, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_which_the_reader_waits_does_not_count() {
        let (start, after) = (Instant::now(), Some(Duration::from_millis(100)));
        let at = |ms| start + Duration::from_millis(ms);
        let (mut idle, mut blocked) = (Idle::default(), Blocked::default());
        blocked.add(Duration::from_millis(5_000));
        assert!(!idle.polled(at(0), blocked, after));
        blocked.add(Duration::from_millis(900));
        assert!(!idle.polled(at(950), blocked, after), "50 ms of it were polls");
        assert!(idle.polled(at(1_000), blocked, after));
        assert!(!idle.polled(at(2_000), blocked, after), "told once");
        idle.ends();
        assert!(!idle.polled(at(3_000), blocked, after));
        idle.rests();
        assert!(!idle.polled(at(4_000), blocked, after));
        assert!(idle.polled(at(4_100), blocked, after));
        assert!(!Idle::default().polled(at(0), blocked, None), "never, unless asked for");
    }
}
