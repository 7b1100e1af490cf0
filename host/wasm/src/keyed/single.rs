//! States with one row for each key: kinds `value` and `merge`.

use std::ops::Range;

use arrow::array::RecordBatch;
use bytes::Bytes;
use volley_api::{KeyedState, Namespace, Result, StateEntry, StateKey};

use super::budget::{Budget, Counted};
use super::columns::{Columns, RowBytes};
use super::groups::Groups;
use super::life::Life;
use super::limits::{STATE_PAGE_ENTRIES, SWEEP_ENTRIES};

/// Where all values are.
pub(crate) const VALUES: Namespace = Namespace(0);

/// One row for each key.
pub(crate) struct Single {
    pub(crate) columns: Columns,
    pub(super) life: Life,
    state: Box<dyn KeyedState>,
    /// What the call under way has written.
    pub(super) written: Written,
    /// How far the sweep for values whose time is up has come.
    swept: Option<StateEntry>,
}

/// Values that are not stored yet, by the place of their key in the call.
#[derive(Default)]
pub(super) struct Written {
    /// For each place one more than that among `values`; 0 where nothing was written.
    places: Vec<u32>,
    /// `None`: removed.
    values: Vec<(u32, Option<Range<usize>>)>,
    bytes: Vec<u8>,
}

impl Written {
    #[inline]
    fn get(&self, place: u32) -> Option<&Option<Range<usize>>> {
        let at = self.places.get(place as usize).filter(|at| **at > 0)?;
        Some(&self.values[*at as usize - 1].1)
    }

    fn set(&mut self, place: u32, row: Option<&[u8]>) {
        let value = row.map(|row| {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(row);
            start..self.bytes.len()
        });
        let index = place as usize;
        if self.places.len() <= index {
            self.places.resize(index + 1, 0);
        }
        match self.places[index] {
            0 => {
                self.values.push((place, value));
                self.places[index] = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
            }
            at => self.values[at as usize - 1].1 = value,
        }
    }

    /// The rows by the place of their key.
    pub(super) fn rows(&self) -> impl Iterator<Item = (u32, Option<&[u8]>)> {
        self.values.iter().map(|(place, value)| (*place, value.clone().map(|at| &self.bytes[at])))
    }

    fn clear(&mut self) {
        self.places.clear();
        self.values.clear();
        self.bytes.clear();
    }
}

impl Single {
    pub(crate) fn new(columns: Columns, life: Life, state: Box<dyn KeyedState>) -> Self {
        Self { columns, life, state, written: Written::default(), swept: None }
    }

    pub(crate) fn state(&mut self) -> &mut dyn KeyedState {
        &mut *self.state
    }

    /// The values of groups: one bit for each that has one, and the rows; or that they are too much.
    pub(crate) fn get(
        &mut self,
        groups: &Groups,
        wanted: &[u32],
        now_ms: i64,
        budget: &mut Budget,
    ) -> Counted<(Vec<bool>, RecordBatch)> {
        let wanted: Vec<u32> = groups.places(wanted).collect();
        let stored = match self.stored(groups, &wanted, budget)? {
            Ok(stored) => stored,
            Err(too_much) => return Ok(Err(too_much)),
        };
        let mut stored = stored.iter();
        let rows: Vec<Option<&[u8]>> = wanted
            .iter()
            .map(|place| match self.written.get(*place) {
                Some(value) => value.clone().map(|at| &self.written.bytes[at]),
                None => stored.next()?.as_deref().and_then(|cell| self.life.read(now_ms, cell)),
            })
            .collect();
        Ok(Ok((rows.iter().map(Option::is_some).collect(), self.columns.batch(&rows)?)))
    }

    /// What is stored of the keys at these places of which nothing was written in this call; all that is wanted is counted.
    fn stored(&mut self, groups: &Groups, wanted: &[u32], budget: &mut Budget) -> Counted<Vec<Option<Bytes>>> {
        let row_bytes = self.columns.row_bytes_min();
        let mut keys: Vec<StateKey<'_>> = Vec::with_capacity(wanted.len());
        for place in wanted {
            let written = match self.written.get(*place) {
                Some(value) => value.as_ref().map_or(0, Range::len),
                None => {
                    keys.push(groups.key_at(*place));
                    0
                }
            };
            if let Err(too_much) = budget.take(row_bytes + written) {
                return Ok(Err(too_much));
            }
        }
        let mut stored = Vec::with_capacity(keys.len());
        for page in keys.chunks(STATE_PAGE_ENTRIES) {
            let page = self.state.get_many(VALUES, page)?;
            if let Err(too_much) = page.iter().flatten().try_for_each(|value| budget.take(value.len())) {
                return Ok(Err(too_much));
            }
            stored.extend(page);
        }
        Ok(Ok(stored))
    }

    /// Sets the values of groups, row by row.
    pub(crate) fn put(&mut self, groups: &Groups, of: &[u32], rows: &RowBytes) {
        for (row, place) in groups.places(of).enumerate() {
            self.written.set(place, Some(rows.row(row)));
        }
    }

    pub(crate) fn remove(&mut self, groups: &Groups, of: &[u32]) {
        groups.places(of).for_each(|place| self.written.set(place, None));
    }

    /// Bytes that are written and not stored.
    pub(crate) fn written_bytes(&self) -> usize {
        self.written.bytes.len()
    }

    /// The call has succeeded: what it wrote is stored.
    pub(crate) fn commit(&mut self, groups: &Groups, now_ms: i64) -> Result<()> {
        let Self { life, state, written, .. } = self;
        if written.values.is_empty() {
            return Ok(());
        }
        let removed: Vec<StateKey<'_>> = written
            .values
            .iter()
            .filter(|(_, value)| value.is_none())
            .map(|(place, _)| groups.key_at(*place))
            .collect();
        if !removed.is_empty() {
            state.remove_many(VALUES, &removed)?;
        }
        let mut keys: Vec<StateKey<'_>> = Vec::with_capacity(written.values.len());
        let mut ranges: Vec<Range<usize>> = Vec::with_capacity(written.values.len());
        for (place, value) in &written.values {
            let Some(at) = value else { continue };
            keys.push(groups.key_at(*place));
            ranges.push(at.clone());
        }
        if life.0.is_none() {
            let values: Vec<&[u8]> = ranges.into_iter().map(|at| &written.bytes[at]).collect();
            state.put_many(VALUES, &keys, &values)?;
        } else {
            let mut cells = Vec::new();
            let mut ends = Vec::with_capacity(keys.len());
            for at in ranges {
                life.write(now_ms, &written.bytes[at], &mut cells);
                ends.push(cells.len());
            }
            let starts = std::iter::once(0).chain(ends.iter().copied());
            let values: Vec<&[u8]> = starts.zip(&ends).map(|(start, end)| &cells[start..*end]).collect();
            state.put_many(VALUES, &keys, &values)?;
        }
        written.clear();
        Ok(())
    }

    /// The call has failed: what it wrote is forgotten.
    pub(crate) fn discard(&mut self) {
        self.written.clear();
    }

    /// Removes some values whose time is up; whether they have any.
    pub(crate) fn sweep(&mut self, now_ms: i64) -> Result<bool> {
        if self.life.0.is_none() {
            return Ok(false);
        }
        let page = self.state.scan(VALUES..=VALUES, self.swept.as_ref(), SWEEP_ENTRIES)?;
        let over = page.iter().filter(|entry| self.life.read(now_ms, &entry.value).is_none());
        let keys: Vec<StateKey<'_>> = over.map(|entry| StateKey { group: entry.group, key: &entry.key }).collect();
        if !keys.is_empty() {
            self.state.remove_many(VALUES, &keys)?;
        }
        self.swept = if page.len() < SWEEP_ENTRIES { None } else { page.into_iter().next_back() };
        Ok(true)
    }
}
