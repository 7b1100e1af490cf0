//! Which window is due next, where not all that wait are known.

use volley_api::Result;

use super::{GLOBAL, PaneWindows};
use crate::window::spec::Grid;

impl PaneWindows {
    /// Finds the next windows that have yet to fire by the panes that there are, where not all are known.
    pub(super) fn look_ahead(&mut self) -> Result<()> {
        let Some(horizon) = self.pending.take_horizon() else { return Ok(()) };
        // The panes of a window begin with it or later.
        let mut from = horizon;
        while let Some(pane) = self.next_pane(from)? {
            let Some(grid) = self.grid else {
                self.pending.note(GLOBAL);
                return Ok(());
            };
            // Windows that begin before what is known already have no panes from there on.
            if self.pending.horizon().is_some_and(|next| pane >= next.saturating_add(grid.size_ms)) {
                return Ok(());
            }
            let windows = grid.windows_of(pane).filter(|window| *window >= horizon);
            for window in windows {
                if !self.has_fired(window) {
                    self.pending.note(window);
                }
            }
            from = pane.saturating_add(1);
        }
        Ok(())
    }

    /// The first pane from there on.
    fn next_pane(&mut self, from: i64) -> Result<Option<i64>> {
        let delta = self.panes.range(from..).next().map(|(start, _)| *start);
        Ok(self.base.next(from)?.into_iter().chain(delta).min())
    }

    /// The next window whose last millisecond is not after a time; it no longer waits.
    pub(super) fn next_due(&mut self, grid: Grid, at_ms: i64) -> Result<Option<i64>> {
        let is_due = |window: i64| window.saturating_add(grid.size_ms - 1) <= at_ms;
        if self.pending.first().is_none() && self.pending.horizon().is_some_and(is_due) {
            self.look_ahead()?;
        }
        let due = self.pending.first().filter(|window| is_due(*window));
        if due.is_some() {
            self.pending.pop_first();
        }
        Ok(due)
    }
}
