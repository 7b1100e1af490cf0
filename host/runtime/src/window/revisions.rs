//! How often the result of each key was put out, for windows that late rows can still reach.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use volley_api::{KeyedSnapshot, Namespace, OperatorContext, Result};

use super::factory::Held;
use super::index::Index;
use super::input::internal;
use crate::keyed::{KeyCodec, KeyTable, PAGE_ENTRIES, StateSlot};

/// Name of the state with them: the namespace is a window's beginning, and the value of a key its last revision.
pub(crate) const REVISIONS: &str = "revisions";

/// The revision of each key's last result, by window.
pub(crate) struct Revisions {
    slot: StateSlot,
    codec: KeyCodec,
    types: Vec<DataType>,
    /// What was put out or looked up since it was last stored.
    recent: BTreeMap<i64, Recent>,
    /// The windows that the state has entries of.
    stored: Index,
}

struct Recent {
    keys: KeyTable,
    /// −1 before the first result.
    last: Vec<i64>,
}

impl Revisions {
    /// With what a checkpoint has of them.
    pub(crate) fn new(
        context: &Arc<OperatorContext>,
        layout: &Arc<str>,
        types: Vec<DataType>,
        held: Held,
    ) -> Result<Self> {
        let mut slot = StateSlot::new(context, REVISIONS, layout, held.options())?;
        let stored = Index::new(&mut slot, held.windows_max())?;
        Ok(Self { slot, codec: KeyCodec::new(&types)?, types, recent: BTreeMap::new(), stored })
    }

    /// The revision of each key's result, now that it is put out (again).
    pub(crate) fn next(&mut self, window: i64, keys: &[ArrayRef]) -> Result<Vec<i64>> {
        let table = KeyTable::new(&self.types)?;
        let recent = self.recent.entry(window).or_insert_with(|| Recent { keys: table, last: Vec::new() });
        let mut numbers = Vec::new();
        recent.keys.intern(keys, &mut numbers)?;
        let known = recent.last.len();
        recent.last.resize(recent.keys.len(), -1);
        if known < recent.last.len() && self.stored.contains(&mut self.slot, window)? {
            let unknown = (0..).zip(&numbers).filter(|(_, number)| **number >= known);
            let (rows, of): (Vec<u32>, Vec<usize>) = unknown.unzip();
            let rows = UInt32Array::from(rows);
            let keys = keys.iter().map(|column| take(column, &rows, None)).collect::<Result<Vec<_>, _>>();
            let keys = self.codec.encode(&keys.map_err(internal)?)?;
            let found = self.slot.open()?.get_many(Namespace(window), &keys.keys())?;
            for (number, value) in of.into_iter().zip(found) {
                recent.last[number] = value.and_then(|value| value.as_array().copied()).map_or(-1, i64::from_le_bytes);
            }
        }
        Ok(numbers
            .into_iter()
            .map(|number| {
                recent.last[number] += 1;
                recent.last[number]
            })
            .collect())
    }

    /// Stores what is recent.
    pub(crate) fn drain(&mut self) -> Result<()> {
        for (window, recent) in std::mem::take(&mut self.recent) {
            let columns = recent.keys.columns()?;
            for (first, last) in (0..).step_by(PAGE_ENTRIES).zip(recent.last.chunks(PAGE_ENTRIES)) {
                let page: Vec<ArrayRef> = columns.iter().map(|column| column.slice(first, last.len())).collect();
                let values: Vec<[u8; 8]> = last.iter().map(|last| last.to_le_bytes()).collect();
                let values: Vec<&[u8]> = values.iter().map(|value| &value[..]).collect();
                self.slot.open()?.put_many(Namespace(window), &self.codec.encode(&page)?.keys(), &values)?;
                self.stored.insert(window);
            }
        }
        Ok(())
    }

    /// What a checkpoint keeps.
    pub(crate) fn snapshot(&mut self) -> Result<KeyedSnapshot> {
        self.drain()?;
        self.slot.snapshot()
    }

    /// Forgets the windows that begin before a time.
    pub(crate) fn remove_before(&mut self, window: i64) -> Result<()> {
        self.recent = self.recent.split_off(&window);
        while let Some(first) = self.stored.next(&mut self.slot, i64::MIN)?.filter(|first| *first < window) {
            self.stored.remove(first);
            self.slot.open()?.remove_namespace(Namespace(first))?;
        }
        Ok(())
    }

    /// How many windows have some in memory.
    pub(crate) fn len(&self) -> usize {
        self.recent.len()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.recent.values().map(|recent| recent.keys.memory_bytes() + recent.last.capacity() * 8).sum()
    }
}
