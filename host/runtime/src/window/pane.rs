//! What is known of the rows of one pane: its keys, and the aggregates of each.

use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::{concat, take};
use volley_api::{Aggregator, Result};

use super::input::{KeyedInput, internal};
use crate::keyed::KeyTable;

/// The keys of a stretch of time and their aggregates.
///
/// Rows go into an aggregator that is empty after each look at it: what it held is merged into `base`, so that a pane can
/// be looked at as often as there are windows that it belongs to.
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

    /// Adds rows.
    pub(crate) fn update(&mut self, input: &KeyedInput, rows: &RecordBatch) -> Result<()> {
        self.keys.intern(&input.keys_of(rows), &mut self.numbers)?;
        self.is_fresh = true;
        self.delta.update(rows, &self.numbers, self.keys.len())
    }

    /// The keys and their results, when nobody will look at the pane again.
    pub(crate) fn into_results(mut self) -> Result<(Vec<ArrayRef>, Vec<ArrayRef>)> {
        let keys = self.keys.len();
        if let Some(base) = self.base.take() {
            let state = self.delta.drain(keys)?;
            merge_first(&mut *self.delta, &base, keys)?;
            merge_first(&mut *self.delta, &state, keys)?;
        }
        Ok((self.keys.columns()?, self.delta.evaluate(keys)?))
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

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let base = self.base.iter().flatten().map(|column| column.get_array_memory_size()).sum::<usize>();
        self.keys.memory_bytes() + self.delta.memory_bytes() + base
    }
}

/// Merges state whose rows are the first keys, in order.
fn merge_first(aggregator: &mut dyn Aggregator, state: &[ArrayRef], keys: usize) -> Result<()> {
    let rows = state.first().map_or(0, |column| column.len());
    aggregator.merge(state, &(0..rows).collect::<Vec<_>>(), keys)
}

/// Several panes as one: keys are numbered anew, and the state of equal keys is merged.
pub(crate) struct Merged {
    keys: KeyTable,
    aggregator: Box<dyn Aggregator>,
    /// With more keys than these, the others are of no interest.
    keys_max: usize,
    numbers: Vec<usize>,
}

impl Merged {
    /// For all keys, or for those in `only`, whose rows may repeat.
    pub(crate) fn new(keys: KeyTable, aggregator: Box<dyn Aggregator>, only: Option<&[Vec<ArrayRef>]>) -> Result<Self> {
        let mut merged = Self { keys, aggregator, keys_max: usize::MAX, numbers: Vec::new() };
        if let Some(only) = only {
            for columns in only {
                merged.keys.intern(columns, &mut merged.numbers)?;
            }
            merged.keys_max = merged.keys.len();
        }
        Ok(merged)
    }

    /// Adds the state of a pane.
    pub(crate) fn add(&mut self, pane: &mut Pane) -> Result<()> {
        let (keys, state) = pane.state()?;
        self.keys.intern(&keys, &mut self.numbers)?;
        if self.keys_max == usize::MAX {
            return self.aggregator.merge(state, &self.numbers, self.keys.len());
        }
        let wanted = self.numbers.iter().enumerate().filter(|(_, number)| **number < self.keys_max);
        let (rows, numbers): (Vec<u64>, Vec<usize>) = wanted.map(|(row, number)| (row as u64, *number)).unzip();
        let rows = UInt64Array::from(rows);
        let state = state.iter().map(|column| take(column, &rows, None)).collect::<std::result::Result<Vec<_>, _>>();
        self.aggregator.merge(&state.map_err(internal)?, &numbers, self.keys_max)
    }

    /// The keys and their results.
    pub(crate) fn into_results(mut self) -> Result<(Vec<ArrayRef>, Vec<ArrayRef>)> {
        let keys = self.keys.len().min(self.keys_max);
        let columns = self.keys.columns()?.iter().map(|column| column.slice(0, keys)).collect();
        Ok((columns, self.aggregator.evaluate(keys)?))
    }
}

/// Columns one behind the other.
pub(crate) fn joined(parts: &[Vec<ArrayRef>]) -> Result<Vec<ArrayRef>> {
    let columns = parts.first().map_or(0, Vec::len);
    let join = |index: usize| concat(&parts.iter().map(|part| part[index].as_ref()).collect::<Vec<&dyn Array>>());
    (0..columns).map(|index| join(index).map_err(internal)).collect()
}
