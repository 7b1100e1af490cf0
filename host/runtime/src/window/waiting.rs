//! The windows that have rows and have not fired: all of them, or the first so many.

use std::collections::BTreeSet;

/// Beginnings of windows that wait for the watermark.
pub(crate) struct Waiting {
    /// All before the horizon.
    windows: BTreeSet<i64>,
    /// From here on there may be others, which follow from the panes that there are. `None` where all are known.
    horizon: Option<i64>,
    windows_max: usize,
}

impl Waiting {
    /// None that is known: the windows of panes that there are, are to be noted from [`Waiting::take_horizon`] on. At most so
    /// many are kept in memory.
    pub(crate) fn new(windows_max: usize) -> Self {
        Self { windows: BTreeSet::new(), horizon: Some(i64::MIN), windows_max }
    }

    /// Notes a window.
    pub(crate) fn note(&mut self, window: i64) {
        if self.horizon.is_some_and(|horizon| window >= horizon) {
            return;
        }
        self.windows.insert(window);
        if self.windows.len() > self.windows_max {
            // The latest are due last.
            self.horizon = self.windows.pop_last();
        }
    }

    /// The first window that is known.
    pub(crate) fn first(&self) -> Option<i64> {
        self.windows.first().copied()
    }

    /// From where on there may be others.
    pub(crate) fn horizon(&self) -> Option<i64> {
        self.horizon
    }

    /// The same, where from now on all are known that are noted.
    pub(crate) fn take_horizon(&mut self) -> Option<i64> {
        self.horizon.take()
    }

    /// Takes note that the first window fires.
    pub(crate) fn pop_first(&mut self) {
        self.windows.pop_first();
    }

    /// Nothing is waited for any more.
    pub(crate) fn clear(&mut self) {
        self.windows.clear();
        self.horizon = None;
    }

    /// How many are known.
    pub(crate) fn len(&self) -> usize {
        self.windows.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_stay_and_the_others_are_noted_anew() {
        let mut waiting = Waiting::new(2);
        assert_eq!(waiting.take_horizon(), Some(i64::MIN));
        [30, 10, 20, 40, 15].into_iter().for_each(|window| waiting.note(window));
        assert_eq!((waiting.first(), waiting.len(), waiting.horizon()), (Some(10), 2, Some(20)));
        waiting.pop_first();
        waiting.note(25);
        assert_eq!((waiting.first(), waiting.len()), (Some(15), 1), "what is behind the horizon is looked for later");
        waiting.pop_first();
        assert_eq!((waiting.first(), waiting.take_horizon()), (None, Some(20)));
        [20, 25, 30, 40].into_iter().for_each(|window| waiting.note(window));
        assert_eq!((waiting.first(), waiting.horizon()), (Some(20), Some(30)));
    }
}
