//! Windows are put out: as sums of what memory and keyed state have of their panes.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow::array::ArrayRef;
use volley_api::{Output, Result};

use super::{GLOBAL, PaneWindows, Part};
use crate::keyed::Cursor;
use crate::window::pane::{self, Merged, joined};
use crate::window::results::{Bounds, Results};
use crate::window::sliding::SideBySide;

impl PaneWindows {
    /// Puts out a window: of all its keys, or of those whose rows have changed.
    pub(super) fn fire(&mut self, window: i64, only: Option<&[Vec<ArrayRef>]>, output: &mut dyn Output) -> Result<()> {
        let is_one_pane = self.grid.is_none_or(|grid| grid.pane_ms == grid.size_ms);
        let is_last = is_one_pane && self.lateness_ms == 0;
        if is_last && !self.base.has(window)? {
            let Some(pane) = self.panes.remove(&window) else { return Ok(()) };
            let (keys, values) = pane.into_results()?;
            return self.put_out(window, keys, values, output);
        }
        let is_on_disk = only.is_none() && self.held_back_bytes_max.is_some();
        if is_one_pane && is_on_disk {
            self.fire_by_pages(window, output)?;
        } else if is_on_disk && !self.base.panes(self.panes_of(window))?.is_empty() {
            self.fire_side_by_side(window, output)?;
        } else {
            let merged = self.merged(window, only)?;
            if is_last {
                self.panes.remove(&window);
            }
            let (keys, values) = merged.into_results()?;
            self.put_out(window, keys, values, output)?;
        }
        if is_last { self.base.remove(window) } else { Ok(()) }
    }

    /// The sum of a window's panes.
    fn merged(&mut self, window: i64, only: Option<&[Vec<ArrayRef>]>) -> Result<Merged> {
        let mut merged = Merged::new(self.table()?, self.aggregator()?, only)?;
        let range = self.panes_of(window);
        let mut starts: Vec<i64> = self.panes.range(range.clone()).map(|(start, _)| *start).collect();
        let deltas = starts.len();
        starts.extend(self.base.panes(range)?);
        if starts.len() > deltas {
            starts.sort_unstable();
            starts.dedup();
        }
        for start in starts {
            merged.add(start, self.panes.get_mut(&start), &mut self.base)?;
        }
        Ok(merged)
    }

    /// The beginnings of a window's panes, as a range.
    fn panes_of(&self, window: i64) -> Range<i64> {
        self.grid.map_or(GLOBAL..GLOBAL + 1, |grid| grid.panes_of(window))
    }

    /// Puts out a window of several panes whose keys may not fit in memory.
    fn fire_side_by_side(&mut self, window: i64, output: &mut dyn Output) -> Result<()> {
        let range = self.panes_of(window);
        let deltas: Vec<i64> = self.panes.range(range.clone()).map(|(start, _)| *start).collect();
        for start in deltas {
            if let Some(pane) = self.panes.remove(&start) {
                self.store(start, pane)?;
            }
        }
        let mut panes = SideBySide::new(&self.base.panes(range)?);
        loop {
            let parts = panes.next(&mut self.base)?;
            if parts.is_empty() {
                return Ok(());
            }
            let mut merged = Merged::new(self.table()?, self.aggregator()?, None)?;
            for (keys, state) in parts {
                merged.add_state(&keys, &state)?;
            }
            let (keys, values) = merged.into_results()?;
            self.put_out(window, keys, values, output)?;
        }
    }

    /// Puts out a window of one pane whose keys may not fit in memory.
    fn fire_by_pages(&mut self, window: i64, output: &mut dyn Output) -> Result<()> {
        if let Some(pane) = self.panes.remove(&window) {
            self.store(window, pane)?;
        }
        let mut aggregator = self.aggregator()?;
        let mut cursor = Cursor::within(window);
        while let Some((keys, state)) = self.base.next_page(&mut cursor)? {
            let rows = keys.first().map_or(0, |column| column.len());
            aggregator.merge(&state, &(0..rows).collect::<Vec<_>>(), rows)?;
            let (keys, values) = pane::results(&mut *aggregator, keys)?;
            self.put_out(window, keys, values, output)?;
        }
        Ok(())
    }

    fn put_out(
        &mut self,
        window: i64,
        keys: Vec<ArrayRef>,
        values: Vec<ArrayRef>,
        output: &mut dyn Output,
    ) -> Result<()> {
        let revisions = self.revisions.as_mut().map(|revisions| revisions.next(window, &keys)).transpose()?;
        let bounds = match self.grid {
            Some(grid) => Bounds::Same { start_ms: window, end_ms: window + grid.size_ms },
            None => Bounds::None,
        };
        Results { keys, bounds, values, revisions }.emit(&self.results, output)
    }

    /// Puts out again what late rows have changed.
    pub(super) fn fire_again(&mut self, parts: &[Part], output: &mut dyn Output) -> Result<()> {
        let Some(grid) = self.grid.filter(|_| self.lateness_ms > 0) else { return Ok(()) };
        let mut changed: BTreeMap<i64, Vec<Vec<ArrayRef>>> = BTreeMap::new();
        for part in parts {
            for window in grid.windows_of(part.pane) {
                let has_gone = self
                    .watermark_ms
                    .is_some_and(|at| window + grid.size_ms - 1 <= at.saturating_sub(self.lateness_ms));
                if self.has_fired(window) && !has_gone {
                    changed.entry(window).or_default().push(self.input.keys_of(&part.rows));
                }
            }
        }
        for (window, keys) in changed {
            self.fire(window, Some(&[joined(&keys)?]), output)?;
        }
        Ok(())
    }
}
