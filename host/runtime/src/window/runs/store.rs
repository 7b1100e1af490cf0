//! Runs by key, with their state as bytes of Arrow's row format.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{FieldRef, SchemaRef};
use arrow::row::{RowConverter, SortField};
use volley_api::{Aggregator, AggregatorFactory, EventTimeColumn, Result};

use crate::keyed::KeyTable;
use crate::window::input::{KeyedInput, internal};

/// What is kept beside the bytes of a run and its key.
const ENTRY_BYTES: usize = 192;

/// A run that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) rows: u64,
    /// That of the last result; `None` before the first.
    pub(super) revision: Option<i64>,
    /// Whether rows have come since.
    pub(super) is_changed: bool,
    pub(super) state: Box<[u8]>,
}

/// Where the state of a run comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Kept(Box<[u8]>),
    /// The run of that number among the rows of a record.
    New(usize),
}

/// All runs of one subtask.
pub(super) struct Store {
    schema: SchemaRef,
    order: Option<EventTimeColumn>,
    aggregates: Arc<dyn AggregatorFactory>,
    keys: RowConverter,
    states: RowConverter,
    runs: HashMap<Box<[u8]>, Vec<Run>>,
    bytes: usize,
    /// Runs of which nothing was put out.
    pending: usize,
}

impl Store {
    pub(super) fn new(
        input: &KeyedInput,
        state: &[FieldRef],
        aggregates: Arc<dyn AggregatorFactory>,
        order: Option<EventTimeColumn>,
    ) -> Result<Self> {
        let converter = |fields: &[FieldRef]| {
            RowConverter::new(fields.iter().map(|field| SortField::new(field.data_type().clone())).collect())
        };
        Ok(Self {
            schema: Arc::clone(&input.schema),
            order,
            aggregates,
            keys: converter(&input.key_fields()).map_err(internal)?,
            states: converter(state).map_err(internal)?,
            runs: HashMap::new(),
            bytes: 0,
            pending: 0,
        })
    }

    fn aggregator(&self) -> Result<Box<dyn Aggregator>> {
        self.aggregates.create(&self.schema, self.order.as_ref())
    }

    /// The bytes of each key of a table, by its number.
    pub(super) fn keys(&self, table: &KeyTable) -> Result<Vec<Box<[u8]>>> {
        let rows = self.keys.convert_columns(&table.columns()?).map_err(internal)?;
        Ok(rows.iter().map(|row| row.as_ref().into()).collect())
    }

    /// The state of the runs that a record's rows make among themselves.
    pub(super) fn state_of(&self, rows: &RecordBatch, runs: &[usize], runs_total: usize) -> Result<Vec<ArrayRef>> {
        let mut aggregator = self.aggregator()?;
        aggregator.update(rows, runs, runs_total)?;
        aggregator.drain(runs_total)
    }

    /// The state of runs that are made of parts, given the state of the new ones.
    pub(super) fn merge(&self, new: &[ArrayRef], runs: &[Vec<Part>]) -> Result<Vec<Box<[u8]>>> {
        let mut aggregator = self.aggregator()?;
        let (mut kept, mut kept_in) = (Vec::new(), Vec::new());
        let (mut rows, mut rows_in) = (Vec::new(), Vec::new());
        for (run, part) in runs.iter().enumerate().flat_map(|(run, parts)| parts.iter().map(move |part| (run, part))) {
            match part {
                Part::Kept(bytes) => {
                    kept.push(bytes);
                    kept_in.push(run);
                }
                Part::New(number) => {
                    rows.push(*number as u64);
                    rows_in.push(run);
                }
            }
        }
        if !kept.is_empty() {
            let parser = self.states.parser();
            let state = self.states.convert_rows(kept.iter().map(|bytes| parser.parse(bytes))).map_err(internal)?;
            aggregator.merge(&state, &kept_in, runs.len())?;
        }
        let rows = arrow::array::UInt64Array::from(rows);
        let new = new.iter().map(|column| arrow::compute::take(column, &rows, None));
        aggregator.merge(&new.collect::<std::result::Result<Vec<_>, _>>().map_err(internal)?, &rows_in, runs.len())?;
        let state = self.states.convert_columns(&aggregator.drain(runs.len())?).map_err(internal)?;
        Ok(state.iter().map(|row| row.as_ref().into()).collect())
    }

    /// Keys and results of runs, from the bytes of both.
    pub(super) fn evaluate(&self, keys: &[Box<[u8]>], states: &[Box<[u8]>]) -> Result<(Vec<ArrayRef>, Vec<ArrayRef>)> {
        let (key_parser, state_parser) = (self.keys.parser(), self.states.parser());
        let columns = self.keys.convert_rows(keys.iter().map(|key| key_parser.parse(key))).map_err(internal)?;
        let state = self.states.convert_rows(states.iter().map(|state| state_parser.parse(state)));
        let mut aggregator = self.aggregator()?;
        aggregator.merge(&state.map_err(internal)?, &(0..states.len()).collect::<Vec<_>>(), states.len())?;
        Ok((columns, aggregator.evaluate(states.len())?))
    }

    /// Takes the runs of a key out.
    pub(super) fn take(&mut self, key: &[u8]) -> Vec<Run> {
        let runs = self.runs.remove(key).unwrap_or_default();
        self.bytes -= bytes_of(key, &runs);
        self.pending -= pending(&runs);
        runs
    }

    /// Takes everything out.
    pub(super) fn take_all(&mut self) -> HashMap<Box<[u8]>, Vec<Run>> {
        (self.bytes, self.pending) = (0, 0);
        std::mem::take(&mut self.runs)
    }

    /// Puts the runs of a key back.
    pub(super) fn put(&mut self, key: Box<[u8]>, runs: Vec<Run>) {
        if !runs.is_empty() {
            self.bytes += bytes_of(&key, &runs);
            self.pending += pending(&runs);
            self.runs.insert(key, runs);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes
    }

    /// How many runs have put nothing out yet.
    pub(super) fn pending(&self) -> usize {
        self.pending
    }
}

fn pending(runs: &[Run]) -> usize {
    runs.iter().filter(|run| run.revision.is_none()).count()
}

fn bytes_of(key: &[u8], runs: &[Run]) -> usize {
    if runs.is_empty() {
        return 0;
    }
    key.len() + ENTRY_BYTES + runs.iter().map(|run| run.state.len() + ENTRY_BYTES).sum::<usize>()
}
