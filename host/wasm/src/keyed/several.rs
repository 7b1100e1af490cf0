//! States with many rows for each key: kinds `map` and `list`.
//!
//! An entry's key in the state is that of its group with the map's key behind it, or the number of the list's row. A group's
//! key is never the beginning of another's (Arrow's row format says of each column where it ends), so all entries of a group
//! stand together, in order. How many there are stands in a namespace of its own.

use std::collections::{BTreeMap, HashMap};

use arrow::array::RecordBatch;
use bytes::Bytes;
use volley_api::{Error, KeyGroup, KeyedState, Namespace, Result, StateEntry, StateKey};

use super::budget::{Budget, Counted};
use super::columns::{Columns, RowBytes};
use super::entry::{Apart, Count, KEY_LENGTH_BYTES, taken_apart, whole};
use super::groups::Groups;
use super::life::Life;
use super::limits::{STATE_ENTRIES_PER_KEY_MAX, STATE_PAGE_ENTRIES, SWEEP_ENTRIES};
use super::single::VALUES;

/// Where it stands how many entries each group has.
pub(super) const COUNTS: Namespace = Namespace(1);

/// Many rows for each key.
pub(crate) struct Several {
    pub(crate) columns: Columns,
    /// The columns of a map's keys; none for a list.
    pub(crate) map_keys: Option<Columns>,
    pub(super) life: Life,
    pub(super) state: Box<dyn KeyedState>,
    /// What the call under way has written, by the whole key. `None`: removed.
    pub(super) written: BTreeMap<Vec<u8>, (KeyGroup, Option<Vec<u8>>)>,
    pub(super) written_bytes: usize,
    pub(super) counts: HashMap<u32, Count>,
    swept: Option<StateEntry>,
}

/// A cell where it is.
enum Cell<'a> {
    Written(&'a [u8]),
    Stored(Bytes),
}

impl Several {
    pub(crate) fn new(columns: Columns, map_keys: Option<Columns>, life: Life, state: Box<dyn KeyedState>) -> Self {
        let (written, counts) = (BTreeMap::new(), HashMap::new());
        Self { columns, map_keys, life, state, written, written_bytes: 0, counts, swept: None }
    }

    pub(crate) fn state(&mut self) -> &mut dyn KeyedState {
        &mut *self.state
    }

    pub(crate) fn written_bytes(&self) -> usize {
        self.written_bytes
    }

    /// The row of a cell, if it is alive.
    fn row(life: Life, now_ms: i64, cell: &[u8]) -> Option<&[u8]> {
        life.read(now_ms, cell)?.get(KEY_LENGTH_BYTES..)
    }

    /// Hands on the cells of whole keys, in order: written in this call, or stored; `false` ends it.
    fn each_cell(&mut self, keys: &[(KeyGroup, Vec<u8>)], mut to: impl FnMut(Option<Cell<'_>>) -> bool) -> Result<()> {
        for page in keys.chunks(STATE_PAGE_ENTRIES) {
            let unwritten = page.iter().filter(|(_, key)| !self.written.contains_key(key));
            let unwritten: Vec<StateKey<'_>> = unwritten.map(|(group, key)| StateKey { group: *group, key }).collect();
            let mut stored =
                if unwritten.is_empty() { Vec::new() } else { self.state.get_many(VALUES, &unwritten)? }.into_iter();
            for (_, key) in page {
                let goes_on = match self.written.get(key) {
                    Some((_, value)) => to(value.as_deref().map(Cell::Written)),
                    None => to(stored.next().flatten().map(Cell::Stored)),
                };
                if !goes_on {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Cells by whole keys, counted.
    fn cells(&mut self, keys: &[(KeyGroup, Vec<u8>)], budget: &mut Budget) -> Counted<Vec<Option<Bytes>>> {
        let row_bytes = self.columns.row_bytes_min();
        let (mut cells, mut counted) = (Vec::with_capacity(keys.len()), Ok(()));
        self.each_cell(keys, |cell| {
            let bytes = match &cell {
                None => 0,
                Some(Cell::Written(cell)) => cell.len(),
                Some(Cell::Stored(cell)) => cell.len(),
            };
            counted = budget.take(row_bytes + bytes);
            if counted.is_ok() {
                cells.push(cell.map(|cell| match cell {
                    Cell::Written(cell) => Bytes::copy_from_slice(cell),
                    Cell::Stored(cell) => cell,
                }));
            }
            counted.is_ok()
        })?;
        Ok(counted.map(|()| cells))
    }

    /// Which whole keys have a cell.
    fn are_there(&mut self, keys: &[(KeyGroup, Vec<u8>)]) -> Result<Vec<bool>> {
        let mut there = Vec::with_capacity(keys.len());
        self.each_cell(keys, |cell| {
            there.push(cell.is_some());
            true
        })?;
        Ok(there)
    }

    fn count(&mut self, groups: &Groups, group: u32) -> Result<Count> {
        if let Some(count) = self.counts.get(&group) {
            return Ok(*count);
        }
        Ok(self.stored_counts(groups, &[group])?.pop().unwrap_or_default())
    }

    fn write(&mut self, key: Vec<u8>, group: KeyGroup, cell: Option<Vec<u8>>) {
        self.written_bytes += key.len() + cell.as_ref().map_or(0, Vec::len);
        self.written.insert(key, (group, cell));
    }

    fn cell(&self, key: StateKey<'_>, row: &[u8], now_ms: i64) -> Vec<u8> {
        let mut cell = Vec::with_capacity(row.len() + 16);
        self.life.write(now_ms, &u32::try_from(key.key.len()).unwrap_or(u32::MAX).to_le_bytes(), &mut cell);
        cell.extend_from_slice(row);
        cell
    }

    /// The whole keys of map entries, one for each group.
    fn map_entries(groups: &Groups, of: &[u32], map_keys: &RowBytes) -> Vec<(KeyGroup, Vec<u8>)> {
        let entry = |(row, group): (usize, &u32)| {
            let key = groups.key(*group);
            (key.group, whole(key, map_keys.row(row)))
        };
        of.iter().enumerate().map(entry).collect()
    }

    /// A map's values: one bit for each that there is, and the rows.
    pub(crate) fn map_get(
        &mut self,
        groups: &Groups,
        of: &[u32],
        map_keys: &RowBytes,
        now_ms: i64,
        budget: &mut Budget,
    ) -> Counted<(Vec<bool>, RecordBatch)> {
        let cells = match self.cells(&Self::map_entries(groups, of, map_keys), budget)? {
            Ok(cells) => cells,
            Err(too_much) => return Ok(Err(too_much)),
        };
        let life = self.life;
        let rows: Vec<Option<&[u8]>> =
            cells.iter().map(|cell| cell.as_ref().and_then(|cell| Self::row(life, now_ms, cell))).collect();
        Ok(Ok((rows.iter().map(Option::is_some).collect(), self.columns.batch(&rows)?)))
    }

    /// Sets a map's values; the group that would get too many entries, where there is one, before anything is changed.
    pub(crate) fn map_put(
        &mut self,
        groups: &Groups,
        of: &[u32],
        map_keys: &RowBytes,
        rows: &RowBytes,
        now_ms: i64,
    ) -> Result<Result<(), u32>> {
        let keys = Self::map_entries(groups, of, map_keys);
        let there = self.are_there(&keys)?;
        let mut counts: HashMap<u32, Count> = HashMap::new();
        let mut new: std::collections::HashSet<&[u8]> = std::collections::HashSet::new();
        for ((group, (_, key)), is_there) in of.iter().zip(&keys).zip(&there) {
            if *is_there || !new.insert(key) {
                continue;
            }
            let mut count = counts.get(group).copied().map_or_else(|| self.count(groups, *group), Ok)?;
            count.entries += 1;
            if count.entries > STATE_ENTRIES_PER_KEY_MAX as u64 {
                return Ok(Err(*group));
            }
            counts.insert(*group, count);
        }
        self.counts.extend(counts);
        for (row, ((key_group, key), group)) in keys.into_iter().zip(of).enumerate() {
            let cell = self.cell(groups.key(*group), rows.row(row), now_ms);
            self.write(key, key_group, Some(cell));
        }
        Ok(Ok(()))
    }

    /// Removes a map's entries.
    pub(crate) fn map_remove(&mut self, groups: &Groups, of: &[u32], map_keys: &RowBytes) -> Result<()> {
        let keys = Self::map_entries(groups, of, map_keys);
        let there = self.are_there(&keys)?;
        for (((key_group, key), group), is_there) in keys.into_iter().zip(of).zip(there) {
            if is_there && self.written.get(&key).is_none_or(|(_, value)| value.is_some()) {
                let mut count = self.count(groups, *group)?;
                count.entries = count.entries.saturating_sub(1);
                self.counts.insert(*group, count);
                self.write(key, key_group, None);
            }
        }
        Ok(())
    }

    /// Puts rows behind a list's; the group that would get too many, where there is one, before anything is changed.
    pub(crate) fn append(
        &mut self,
        groups: &Groups,
        of: &[u32],
        rows: &RowBytes,
        now_ms: i64,
    ) -> Result<Result<(), u32>> {
        let mut counts: HashMap<u32, Count> = HashMap::new();
        let mut numbers = Vec::with_capacity(of.len());
        for group in of {
            let mut count = counts.get(group).copied().map_or_else(|| self.count(groups, *group), Ok)?;
            numbers.push(count.next);
            count.next += 1;
            count.entries += 1;
            if count.entries > STATE_ENTRIES_PER_KEY_MAX as u64 {
                return Ok(Err(*group));
            }
            counts.insert(*group, count);
        }
        self.counts.extend(counts);
        for (row, (group, number)) in of.iter().zip(numbers).enumerate() {
            let key = groups.key(*group);
            let cell = self.cell(key, rows.row(row), now_ms);
            self.write(whole(key, &number.to_be_bytes()), key.group, Some(cell));
        }
        Ok(Ok(()))
    }

    /// All entries of groups: for each its group's place in `of`, the map's keys (no columns for a list) and the values.
    pub(crate) fn entries(
        &mut self,
        groups: &Groups,
        of: &[u32],
        now_ms: i64,
        budget: &mut Budget,
    ) -> Counted<(Vec<u32>, RecordBatch, RecordBatch)> {
        let mut entries: Vec<(u32, Vec<u8>, Bytes)> = Vec::new();
        let counts = self.stored_counts(groups, of)?;
        for ((place, group), count) in (0..).zip(of).zip(counts) {
            let key = groups.key(*group);
            let skip = key.key.len();
            let life = self.life;
            let all = match self.all(key, count, true, budget)? {
                Ok(all) => all,
                Err(too_much) => return Ok(Err(too_much)),
            };
            let alive = all.into_iter().filter(|(_, cell)| Self::row(life, now_ms, cell).is_some());
            entries.extend(alive.map(|(whole, cell)| (place, whole[skip..].to_vec(), cell)));
        }
        let values: Vec<Option<&[u8]>> =
            entries.iter().map(|(_, _, cell)| Self::row(self.life, now_ms, cell)).collect();
        let values = self.columns.batch(&values)?;
        let keys = match &self.map_keys {
            Some(map_keys) => map_keys.batch(&entries.iter().map(|(_, key, _)| Some(&key[..])).collect::<Vec<_>>())?,
            None => values.project(&[]).map_err(|error| Error::internal("entries without keys").caused_by(error))?,
        };
        Ok(Ok((entries.iter().map(|(place, ..)| *place).collect(), keys, values)))
    }

    /// Removes all that there is of groups, or nothing where that is too much.
    pub(crate) fn remove(&mut self, groups: &Groups, of: &[u32], budget: &mut Budget) -> Counted<()> {
        let mut gone = Vec::new();
        let counts = self.stored_counts(groups, of)?;
        for (group, count) in of.iter().zip(counts) {
            let key = groups.key(*group);
            match self.all(key, count, false, budget)? {
                Ok(all) => gone.extend(all.into_keys().map(|whole| (whole, key.group))),
                Err(too_much) => return Ok(Err(too_much)),
            }
        }
        for (whole, group) in gone {
            self.write(whole, group, None);
        }
        self.counts.extend(of.iter().map(|group| (*group, Count::default())));
        Ok(Ok(()))
    }

    /// The call has succeeded: what it wrote is stored.
    pub(crate) fn commit(&mut self, groups: &Groups) -> Result<()> {
        if !self.written.is_empty() {
            let mut removed = Vec::new();
            let (mut keys, mut cells): (Vec<StateKey<'_>>, Vec<&[u8]>) = (Vec::new(), Vec::new());
            for (key, (group, cell)) in &self.written {
                let key = StateKey { group: *group, key };
                match cell {
                    Some(cell) => {
                        keys.push(key);
                        cells.push(cell);
                    }
                    None => removed.push(key),
                }
            }
            self.state.remove_many(VALUES, &removed)?;
            self.state.put_many(VALUES, &keys, &cells)?;
        }
        if !self.counts.is_empty() {
            let gone = self.counts.iter().filter(|(_, count)| count.entries == 0);
            let gone: Vec<StateKey<'_>> = gone.map(|(group, _)| groups.key(*group)).collect();
            self.state.remove_many(COUNTS, &gone)?;
            let kept: Vec<(StateKey<'_>, [u8; 16])> = self
                .counts
                .iter()
                .filter(|(_, count)| count.entries > 0)
                .map(|(group, count)| (groups.key(*group), count.to_bytes()))
                .collect();
            let keys: Vec<StateKey<'_>> = kept.iter().map(|(key, _)| *key).collect();
            let counts: Vec<&[u8]> = kept.iter().map(|(_, count)| &count[..]).collect();
            self.state.put_many(COUNTS, &keys, &counts)?;
        }
        self.discard();
        Ok(())
    }

    /// What is written and not stored is forgotten.
    pub(crate) fn discard(&mut self) {
        self.written.clear();
        self.written_bytes = 0;
        self.counts.clear();
    }

    /// Removes some entries whose time is up; whether they have any.
    pub(crate) fn sweep(&mut self, now_ms: i64) -> Result<bool> {
        if self.life.0.is_none() {
            return Ok(false);
        }
        let page = self.state.scan(VALUES..=VALUES, self.swept.as_ref(), SWEEP_ENTRIES)?;
        for entry in page.iter().filter(|entry| self.life.read(now_ms, &entry.value).is_none()) {
            self.state.remove_many(VALUES, &[StateKey { group: entry.group, key: &entry.key }])?;
            let Some(Apart { key, .. }) = taken_apart(self.life, &entry.key, &entry.value) else { continue };
            let owner = StateKey { group: entry.group, key };
            let Some(stored) = self.state.get_many(COUNTS, &[owner])?.pop().flatten() else { continue };
            let mut count = Count::of_bytes(&stored)?;
            count.entries = count.entries.saturating_sub(1);
            if count.entries == 0 {
                self.state.remove_many(COUNTS, &[owner])?;
            } else {
                self.state.put_many(COUNTS, &[owner], &[&count.to_bytes()])?;
            }
        }
        self.swept = if page.len() < SWEEP_ENTRIES { None } else { page.into_iter().next_back() };
        Ok(true)
    }
}
