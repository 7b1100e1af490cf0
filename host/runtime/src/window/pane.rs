//! What is known of the rows of one pane: its keys, and the aggregates of each.

use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::{concat, take};
use volley_api::{Aggregator, Result, StreamRecord};

use super::aggregators::Aggregators;
use super::base::Base;
use super::input::{KeyedInput, internal};
use crate::keyed::{Cursor, KeyTable};

/// The keys of a stretch of time and their aggregates.
///
/// Rows go into an aggregator that is empty after each look at it: what it held is merged into `base`, so that a pane can
/// be looked at as often as there are windows that it belongs to. What went to keyed state is not part of it any more.
pub(crate) struct Pane {
    keys: KeyTable,
    delta: Box<dyn Aggregator>,
    /// Whether `delta` holds anything.
    is_fresh: bool,
    /// State of the keys `0..base_keys`, as [`Aggregator::drain`] gave it.
    base: Option<Vec<ArrayRef>>,
    numbers: Vec<usize>,
}

impl Pane {
    pub(crate) fn new(keys: KeyTable, aggregator: Box<dyn Aggregator>) -> Self {
        Self { keys, delta: aggregator, is_fresh: false, base: None, numbers: Vec::new() }
    }

    /// Adds rows; `whole` has all their columns, where they may be refused.
    pub(crate) fn update(
        &mut self,
        input: &KeyedInput,
        rows: &RecordBatch,
        whole: Option<&StreamRecord>,
    ) -> Result<()> {
        self.keys.intern(&input.keys_of(rows), &mut self.numbers)?;
        self.is_fresh = true;
        match whole {
            Some(whole) => self.delta.update_of(whole, rows, &self.numbers, self.keys.len()),
            None => self.delta.update(rows, &self.numbers, self.keys.len()),
        }
    }

    /// Adds the state of keys, which [`Aggregator::drain`] gave out elsewhere.
    pub(crate) fn merge(&mut self, keys: &[ArrayRef], state: &[ArrayRef]) -> Result<()> {
        self.keys.intern(keys, &mut self.numbers)?;
        self.is_fresh = true;
        self.delta.merge(state, &self.numbers, self.keys.len())
    }

    /// The keys and their results, when nobody will look at the pane again.
    pub(crate) fn into_results(mut self) -> Result<(Vec<ArrayRef>, Vec<ArrayRef>)> {
        let keys = self.keys.len();
        if let Some(base) = self.base.take() {
            let state = self.delta.drain(keys)?;
            merge_first(&mut *self.delta, &base, keys)?;
            merge_first(&mut *self.delta, &state, keys)?;
        }
        results(&mut *self.delta, self.keys.columns()?)
    }

    /// The keys and their state, which the pane keeps.
    pub(crate) fn state(&mut self) -> Result<(Vec<ArrayRef>, &[ArrayRef])> {
        if self.is_fresh || self.base.is_none() {
            let keys = self.keys.len();
            let mut state = self.delta.drain(keys)?;
            if let Some(base) = self.base.take() {
                // What came first is merged first: some aggregates go by arrival.
                merge_first(&mut *self.delta, &base, keys)?;
                merge_first(&mut *self.delta, &state, keys)?;
                state = self.delta.drain(keys)?;
            }
            self.base = Some(state);
            self.is_fresh = false;
        }
        Ok((self.keys.columns()?, self.base.as_deref().unwrap_or_default()))
    }

    /// The keys and their state.
    pub(crate) fn into_state(mut self) -> Result<(Vec<ArrayRef>, Vec<ArrayRef>)> {
        let (keys, _) = self.state()?;
        Ok((keys, self.base.unwrap_or_default()))
    }

    /// The keys, in the order in which they came.
    pub(crate) fn keys(&self) -> Result<Vec<ArrayRef>> {
        self.keys.columns()
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let base = self.base.iter().flatten().map(|column| column.get_array_memory_size()).sum::<usize>();
        self.keys.memory_bytes() + self.delta.memory_bytes() + base
    }
}

/// Keys and their results; those without any are left out.
pub(crate) fn results(aggregator: &mut dyn Aggregator, keys: Vec<ArrayRef>) -> Result<(Vec<ArrayRef>, Vec<ArrayRef>)> {
    let values = aggregator.evaluate(keys.first().map_or(0, |column| column.len()))?;
    Ok((Aggregators::with_results(aggregator, keys)?, Aggregators::with_results(aggregator, values)?))
}

/// Merges state whose rows are the first keys, in order.
fn merge_first(aggregator: &mut dyn Aggregator, state: &[ArrayRef], keys: usize) -> Result<()> {
    let rows = state.first().map_or(0, |column| column.len());
    aggregator.merge(state, &(0..rows).collect::<Vec<_>>(), keys)
}

/// Several panes as one: keys are numbered anew, and the state of equal keys is merged.
pub(crate) struct Merged {
    sum: Pane,
    /// With more keys than these, the others are of no interest.
    keys_max: Option<usize>,
}

impl Merged {
    /// For all keys, or for those in `only`, whose rows may repeat.
    pub(crate) fn new(keys: KeyTable, aggregator: Box<dyn Aggregator>, only: Option<&[Vec<ArrayRef>]>) -> Result<Self> {
        let mut sum = Pane::new(keys, aggregator);
        for columns in only.unwrap_or_default() {
            sum.keys.intern(columns, &mut sum.numbers)?;
        }
        let keys_max = only.map(|_| sum.keys.len());
        Ok(Self { sum, keys_max })
    }

    /// Adds a pane, of which `base` has what came before it.
    pub(crate) fn add(&mut self, start: i64, pane: Option<&mut Pane>, base: &mut Base) -> Result<()> {
        // What came first is merged first: some aggregates go by arrival.
        if base.has(start)? {
            self.add_base(start, base)?;
        }
        let Some(pane) = pane else { return Ok(()) };
        let (keys, state) = pane.state()?;
        let Some(keys_max) = self.keys_max else { return self.sum.merge(&keys, state) };
        self.sum.keys.intern(&keys, &mut self.sum.numbers)?;
        let wanted = self.sum.numbers.iter().enumerate().filter(|(_, number)| **number < keys_max);
        let (rows, numbers): (Vec<u64>, Vec<usize>) = wanted.map(|(row, number)| (row as u64, *number)).unzip();
        let rows = UInt64Array::from(rows);
        let state = state.iter().map(|column| take(column, &rows, None)).collect::<std::result::Result<Vec<_>, _>>();
        self.sum.delta.merge(&state.map_err(internal)?, &numbers, keys_max)
    }

    /// Adds the state of keys, none of which occurs twice.
    pub(crate) fn add_state(&mut self, keys: &[ArrayRef], state: &[ArrayRef]) -> Result<()> {
        self.sum.merge(keys, state)
    }

    fn add_base(&mut self, start: i64, base: &mut Base) -> Result<()> {
        if let Some(keys_max) = self.keys_max {
            let (found, state) = base.find(start, &self.wanted(keys_max)?)?;
            return self.sum.delta.merge(&state, &found, keys_max);
        }
        let mut cursor = Cursor::within(start);
        while let Some((keys, state)) = base.next_page(&mut cursor)? {
            self.sum.merge(&keys, &state)?;
        }
        Ok(())
    }

    /// The first keys.
    fn wanted(&self, keys_max: usize) -> Result<Vec<ArrayRef>> {
        Ok(self.sum.keys.columns()?.iter().map(|column| column.slice(0, keys_max)).collect())
    }

    /// The keys and their results.
    pub(crate) fn into_results(mut self) -> Result<(Vec<ArrayRef>, Vec<ArrayRef>)> {
        let Some(keys_max) = self.keys_max else { return self.sum.into_results() };
        let keys = self.wanted(keys_max)?;
        results(&mut *self.sum.delta, keys)
    }
}

/// Columns one behind the other.
pub(crate) fn joined(parts: &[Vec<ArrayRef>]) -> Result<Vec<ArrayRef>> {
    let columns = parts.first().map_or(0, Vec::len);
    let join = |index: usize| concat(&parts.iter().map(|part| part[index].as_ref()).collect::<Vec<&dyn Array>>());
    (0..columns).map(|index| join(index).map_err(internal)).collect()
}
