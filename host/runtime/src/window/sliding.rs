//! The sum of stored panes, some keys at a time: a window of several panes whose keys may not fit in memory.

use std::collections::VecDeque;

use arrow::array::ArrayRef;
use volley_api::{KeyGroup, Result, StateEntry};

use super::base::Base;
use crate::keyed::{Cursor, PAGE_ENTRIES};

/// The fewest entries that are read of a pane at once.
const PANE_ENTRIES_MIN: usize = 256;

/// The keys of a pane with their state.
type Columns = (Vec<ArrayRef>, Vec<ArrayRef>);

/// Reads panes side by side, in the order of their keys.
pub(crate) struct SideBySide {
    panes: Vec<Reading>,
    entries_max: usize,
}

/// A pane that is read.
struct Reading {
    cursor: Cursor,
    /// What was read and not yet given.
    read: VecDeque<StateEntry>,
    has_more: bool,
}

impl Reading {
    /// The last key that was read, where others may follow in this pane.
    fn reach(&self) -> Option<(KeyGroup, &[u8])> {
        self.read.back().filter(|_| self.has_more).map(place)
    }
}

fn place(entry: &StateEntry) -> (KeyGroup, &[u8]) {
    (entry.group, &entry.key)
}

impl SideBySide {
    /// Of the panes that begin then: whatever is stored of them.
    pub(crate) fn new(starts: &[i64]) -> Self {
        let reading = |start: &i64| Reading { cursor: Cursor::within(*start), read: VecDeque::new(), has_more: true };
        let entries_max = (PAGE_ENTRIES / starts.len().max(1)).max(PANE_ENTRIES_MIN);
        Self { panes: starts.iter().map(reading).collect(), entries_max }
    }

    /// What the panes have for the next keys, in the order of the panes: no later call has any of these keys. Nothing when
    /// there are no more.
    pub(crate) fn next(&mut self, base: &mut Base) -> Result<Vec<Columns>> {
        for pane in &mut self.panes {
            while pane.has_more && pane.read.is_empty() {
                let page = base.entries(&mut pane.cursor, self.entries_max)?;
                pane.has_more = page.len() == self.entries_max;
                pane.read.extend(page);
            }
        }
        // What lies behind the end of a pane that was not read to its end may be there as well.
        let reach = self.panes.iter().filter_map(Reading::reach).min().map(|(group, key)| (group, key.to_vec()));
        let mut given = Vec::new();
        for pane in &mut self.panes {
            let is_within =
                |entry: &StateEntry| reach.as_ref().is_none_or(|(group, key)| place(entry) <= (*group, &key[..]));
            let count = pane.read.iter().take_while(|entry| is_within(entry)).count();
            let entries: Vec<StateEntry> = pane.read.drain(..count).collect();
            if !entries.is_empty() {
                given.push(base.decode(&entries)?);
            }
        }
        Ok(given)
    }
}
