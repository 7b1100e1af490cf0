//! What panes had before their deltas: the state of their keys, in keyed state.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, FieldRef};
use volley_api::{Aggregator, KeyedSnapshot, Namespace, OperatorContext, Result, StateEntry};

use super::factory::Held;
use super::index::Index;
use crate::keyed::{Cursor, KeyCodec, PAGE_ENTRIES, RowCodec, StateSlot};

/// Name of the state with what is known of windows.
pub(crate) const WINDOWS: &str = "windows";

/// The state of panes: the namespace is a pane's beginning, and the value of a key the state of its aggregates.
pub(crate) struct Base {
    slot: StateSlot,
    keys: KeyCodec,
    states: RowCodec,
    /// The panes that have entries.
    panes: Index,
}

impl Base {
    /// With what a checkpoint has of it.
    pub(crate) fn new(
        context: &Arc<OperatorContext>,
        layout: &Arc<str>,
        keys: &[DataType],
        state: &[FieldRef],
        held: Held,
    ) -> Result<Self> {
        let mut slot = StateSlot::new(context, WINDOWS, layout, held.options())?;
        let panes = Index::new(&mut slot, held.windows_max())?;
        let states = RowCodec::new(state.iter().map(|field| field.data_type()))?;
        Ok(Self { slot, keys: KeyCodec::new(keys)?, states, panes })
    }

    /// The beginnings of the panes that have entries, of those in a range.
    pub(crate) fn panes(&mut self, range: Range<i64>) -> Result<Vec<i64>> {
        let (mut panes, mut from) = (Vec::new(), range.start);
        while let Some(pane) = self.next(from)?.filter(|pane| *pane < range.end) {
            panes.push(pane);
            from = pane + 1;
        }
        Ok(panes)
    }

    /// The first pane that has entries, from there on.
    pub(crate) fn next(&mut self, from: i64) -> Result<Option<i64>> {
        self.panes.next(&mut self.slot, from)
    }

    /// Whether a pane has entries.
    pub(crate) fn has(&mut self, pane: i64) -> Result<bool> {
        self.panes.contains(&mut self.slot, pane)
    }

    /// Adds the state of keys, none of which occurs twice, to what there is of a pane. The aggregator is empty, before and
    /// behind it.
    pub(crate) fn add(
        &mut self,
        pane: i64,
        keys: &[ArrayRef],
        state: &[ArrayRef],
        aggregator: &mut dyn Aggregator,
    ) -> Result<()> {
        let rows = keys.first().map_or(0, |column| column.len());
        let was_there = self.has(pane)?;
        for first in (0..rows).step_by(PAGE_ENTRIES) {
            let page = PAGE_ENTRIES.min(rows - first);
            let slice =
                |columns: &[ArrayRef]| columns.iter().map(|column| column.slice(first, page)).collect::<Vec<_>>();
            let (keys, mut state) = (self.keys.encode(&slice(keys))?, slice(state));
            let keys = keys.keys();
            let found = if was_there { self.slot.open()?.get_many(Namespace(pane), &keys)? } else { Vec::new() };
            let found = found.iter().enumerate().filter_map(|(row, value)| value.as_deref().map(|value| (row, value)));
            let (places, found): (Vec<usize>, Vec<&[u8]>) = found.unzip();
            if !found.is_empty() {
                // What came first is merged first: some aggregates go by arrival.
                aggregator.merge(&self.states.decode(found)?, &places, page)?;
                aggregator.merge(&state, &(0..page).collect::<Vec<_>>(), page)?;
                state = aggregator.drain(page)?;
            }
            let values = self.states.encode(&state)?;
            let values: Vec<&[u8]> = values.iter().map(|value| value.data()).collect();
            self.slot.open()?.put_many(Namespace(pane), &keys, &values)?;
            self.panes.insert(pane);
        }
        Ok(())
    }

    /// The next keys of a pane, and their state.
    pub(crate) fn next_page(&mut self, cursor: &mut Cursor) -> Result<Option<(Vec<ArrayRef>, Vec<ArrayRef>)>> {
        let page = self.slot.next_page(cursor)?;
        if page.is_empty() { Ok(None) } else { self.decode(&page).map(Some) }
    }

    /// The next entries of a pane as they are stored, at most so many; fewer when there are no more.
    pub(crate) fn entries(&mut self, cursor: &mut Cursor, entries_max: usize) -> Result<Vec<StateEntry>> {
        self.slot.next_entries(cursor, entries_max)
    }

    /// The keys of entries, and their state.
    pub(crate) fn decode(&self, entries: &[StateEntry]) -> Result<(Vec<ArrayRef>, Vec<ArrayRef>)> {
        let keys = self.keys.decode(entries.iter().map(|entry| &entry.key[..]))?;
        Ok((keys, self.states.decode(entries.iter().map(|entry| &entry.value[..]))?))
    }

    /// Of some keys the rows that a pane has, and their state.
    pub(crate) fn find(&mut self, pane: i64, keys: &[ArrayRef]) -> Result<(Vec<usize>, Vec<ArrayRef>)> {
        let keys = self.keys.encode(keys)?;
        let found = self.slot.open()?.get_many(Namespace(pane), &keys.keys())?;
        let found = found.iter().enumerate().filter_map(|(row, value)| value.as_deref().map(|value| (row, value)));
        let (rows, values): (Vec<usize>, Vec<&[u8]>) = found.unzip();
        Ok((rows, self.states.decode(values)?))
    }

    /// Forgets a pane.
    pub(crate) fn remove(&mut self, pane: i64) -> Result<()> {
        match self.slot.opened().filter(|_| self.panes.remove(pane)) {
            Some(state) => state.remove_namespace(Namespace(pane)),
            None => Ok(()),
        }
    }

    /// Forgets the panes before a time.
    pub(crate) fn remove_before(&mut self, pane: i64) -> Result<()> {
        while let Some(first) = self.next(i64::MIN)?.filter(|first| *first < pane) {
            self.remove(first)?;
        }
        Ok(())
    }

    /// What a checkpoint keeps.
    pub(crate) fn snapshot(&mut self) -> Result<KeyedSnapshot> {
        self.slot.snapshot()
    }
}
