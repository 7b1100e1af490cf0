//! The aggregates of runs: made of rows, merged from parts, and evaluated.

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::take;
use arrow::datatypes::FieldRef;
use volley_api::{Aggregator, Result, StreamRecord};

use crate::keyed::RowCodec;
use crate::window::aggregators::Aggregators;
use crate::window::input::internal;

/// Where the state of a run comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Kept(Box<[u8]>),
    /// The run of that number among the rows of a record.
    New(usize),
}

/// Makes and merges the states of runs.
pub(super) struct Merging {
    pub(super) aggregates: Aggregators,
    states: RowCodec,
}

impl Merging {
    pub(super) fn new(aggregates: Aggregators, state: &[FieldRef]) -> Result<Self> {
        let states = RowCodec::new(state.iter().map(|field| field.data_type()))?;
        Ok(Self { aggregates, states })
    }

    fn aggregator(&self) -> Result<Box<dyn Aggregator>> {
        self.aggregates.create()
    }

    /// The state of the runs that a record's rows make among themselves.
    pub(super) fn state_of(
        &self,
        record: &StreamRecord,
        rows: &RecordBatch,
        runs: &[usize],
        runs_total: usize,
    ) -> Result<Vec<ArrayRef>> {
        let mut aggregator = self.aggregator()?;
        match self.aggregates.whole(record)? {
            Some(whole) => aggregator.update_of(&whole, rows, runs, runs_total)?,
            None => aggregator.update(rows, runs, runs_total)?,
        }
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
                    kept.push(&bytes[..]);
                    kept_in.push(run);
                }
                Part::New(number) => {
                    rows.push(*number as u64);
                    rows_in.push(run);
                }
            }
        }
        if !kept.is_empty() {
            aggregator.merge(&self.states.decode(kept)?, &kept_in, runs.len())?;
        }
        let rows = UInt64Array::from(rows);
        let new = new.iter().map(|column| take(column, &rows, None)).collect::<Result<Vec<_>, _>>();
        aggregator.merge(&new.map_err(internal)?, &rows_in, runs.len())?;
        let state = self.states.encode(&aggregator.drain(runs.len())?)?;
        Ok(state.iter().map(|row| row.data().into()).collect())
    }

    /// The results of runs, and which of them have any; `None` where all have.
    pub(super) fn evaluate(&self, states: &[Box<[u8]>]) -> Result<(Vec<ArrayRef>, Option<BooleanBuffer>)> {
        let mut aggregator = self.aggregator()?;
        let columns = self.states.decode(states.iter().map(|state| &state[..]))?;
        aggregator.merge(&columns, &(0..states.len()).collect::<Vec<_>>(), states.len())?;
        let values = aggregator.evaluate(states.len())?;
        Ok((Aggregators::with_results(&*aggregator, values)?, aggregator.evaluated().cloned()))
    }
}
