//! Aggregates at work: what they share is computed once per batch, then each takes its part of it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute;
use arrow::error::ArrowError;
use volley_api::{Aggregator, Result};

use super::accumulator::{Accumulator, Failure, Input, Rows};
use super::bound::{Argument, Bound, BoundItem};
use super::create;
use crate::Error;

/// The built-in aggregates over one input.
pub(super) struct Running {
    bound: Arc<Bound>,
    accumulators: Vec<Box<dyn Accumulator>>,
}

impl Running {
    pub(super) fn new(bound: Arc<Bound>) -> Result<Self> {
        let accumulators = bound.items.iter().map(|item| {
            create::create(item.function, &item.types)
                .ok_or_else(|| broken(item, format!("there is no accumulator for {}", item.types.argument)).into())
        });
        let accumulators = accumulators.collect::<Result<_>>()?;
        Ok(Self { bound, accumulators })
    }

    fn check_rows(&self, rows: usize, groups: &[usize]) -> Result<()> {
        match self.bound.items.first() {
            Some(item) if rows != groups.len() => {
                Err(broken(item, format!("there are {rows} rows, and groups for {}", groups.len())).into())
            }
            _ => Ok(()),
        }
    }
}

impl Aggregator for Running {
    fn update(&mut self, batch: &RecordBatch, groups: &[usize], groups_total: usize) -> Result<()> {
        self.check_rows(batch.num_rows(), groups)?;
        let shared = Shared::of(&self.bound, batch)?;
        for (item, accumulator) in self.bound.items.iter().zip(&mut self.accumulators) {
            let values = shared.values(item, batch)?;
            let nulls = values.as_ref().filter(|_| !item.function.takes_nulls()).and_then(Array::logical_nulls);
            let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
            let counted = match (nulls.as_ref().map(NullBuffer::inner), shared.filter(item)) {
                (Some(valid), Some(live)) => Some(valid & live),
                (valid, live) => valid.or(live).cloned(),
            };
            let rows = Rows { groups, groups_total, counted: counted.as_ref() };
            let input = Input { rows, values: values.as_ref(), times: shared.times.as_ref() };
            accumulator.update(&input).map_err(|failure| failed(item, failure))?;
        }
        Ok(())
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[usize], groups_total: usize) -> Result<()> {
        let mut rest = state;
        for (item, accumulator) in self.bound.items.iter().zip(&mut self.accumulators) {
            let Some((own, others)) = rest.split_at_checked(item.state.len()) else {
                return Err(broken(item, format!("state has {} columns, and that is too few", state.len())).into());
            };
            check_state(item, own, groups.len())?;
            accumulator.merge(own, groups, groups_total).map_err(|failure| failed(item, failure))?;
            rest = others;
        }
        match self.bound.items.last() {
            Some(item) if !rest.is_empty() => {
                Err(broken(item, format!("state has {} columns, and that is too many", state.len())).into())
            }
            _ => Ok(()),
        }
    }

    fn drain(&mut self, groups_total: usize) -> Result<Vec<ArrayRef>> {
        let mut state = Vec::new();
        for (item, accumulator) in self.bound.items.iter().zip(&mut self.accumulators) {
            state.extend(accumulator.drain(groups_total).map_err(|failure| failed(item, failure))?);
        }
        Ok(state)
    }

    fn evaluate(&mut self, groups_total: usize) -> Result<Vec<ArrayRef>> {
        let results = self.bound.items.iter().zip(&mut self.accumulators).map(|(item, accumulator)| {
            accumulator.evaluate(groups_total).map_err(|failure| failed(item, failure).into())
        });
        results.collect()
    }

    fn memory_bytes(&self) -> usize {
        self.accumulators.iter().map(|accumulator| accumulator.memory_bytes()).sum()
    }
}

/// What several aggregates have of a batch.
struct Shared<'a> {
    bound: &'a Bound,
    /// `None` for an argument that has no value for some row, all its aggregates having conditions.
    arguments: Vec<Option<ArrayRef>>,
    filters: Vec<BooleanBuffer>,
    times: Option<Int64Array>,
}

impl<'a> Shared<'a> {
    fn of(bound: &'a Bound, batch: &RecordBatch) -> Result<Self> {
        let filters = bound.filters.iter().map(|filter| filter.condition(batch)).collect::<crate::Result<_>>()?;
        let arguments = bound.arguments.iter().map(|argument| {
            let values = match argument.for_all_rows {
                true => Some(argument.expression.evaluate(batch)?),
                false => argument.expression.try_evaluate(batch)?,
            };
            values.map(|values| cast(argument, values)).transpose()
        });
        let arguments = arguments.collect::<crate::Result<_>>()?;
        let times = match &bound.event_time {
            Some(column) if bound.needs_event_time() => Some(column.ms(batch)?),
            _ => None,
        };
        Ok(Self { bound, arguments, filters, times })
    }

    fn filter(&self, item: &BoundItem) -> Option<&BooleanBuffer> {
        item.filter.and_then(|index| self.filters.get(index))
    }

    /// The values of an aggregate's argument, null for rows that its condition leaves out and that have no value.
    fn values(&self, item: &BoundItem, batch: &RecordBatch) -> crate::Result<Option<ArrayRef>> {
        let Some(index) = item.argument else { return Ok(None) };
        if let Some(values) = &self.arguments[index] {
            return Ok(Some(Arc::clone(values)));
        }
        let argument = &self.bound.arguments[index];
        let live = self.filter(item).cloned().unwrap_or_else(|| BooleanBuffer::new_set(batch.num_rows()));
        let gathered = compute::filter_record_batch(batch, &BooleanArray::new(live.clone(), None));
        let values = argument.expression.evaluate(&gathered.map_err(|error| internal(argument, &error))?)?;
        let spread = compute::take(&cast(argument, values)?, &places(&live), None);
        spread.map(Some).map_err(|error| internal(argument, &error))
    }
}

/// For each row its place among the live ones.
fn places(live: &BooleanBuffer) -> UInt32Array {
    let mut next = 0;
    let place = |is_live: bool| {
        next += u32::from(is_live);
        is_live.then(|| next - 1)
    };
    live.iter().map(place).collect()
}

fn cast(argument: &Argument, values: ArrayRef) -> crate::Result<ArrayRef> {
    if *values.data_type() == argument.data_type {
        return Ok(values);
    }
    compute::cast(&values, &argument.data_type).map_err(|error| internal(argument, &error))
}

fn check_state(item: &BoundItem, columns: &[ArrayRef], rows: usize) -> crate::Result<()> {
    for (field, column) in item.state.iter().zip(columns) {
        let (name, expected, found) = (field.name(), field.data_type(), column.data_type());
        if found != expected {
            return Err(broken(item, format!("state `{name}` is {found}, and {expected} was agreed")));
        }
        if column.len() != rows {
            return Err(broken(item, format!("state `{name}` has {} rows, and groups for {rows}", column.len())));
        }
        if !field.is_nullable() && column.null_count() > 0 {
            return Err(broken(item, format!("state `{name}` has nulls, and none were agreed")));
        }
    }
    Ok(())
}

fn internal(argument: &Argument, error: &ArrowError) -> Error {
    Error::Internal { sql: argument.expression.sql().into(), reason: error.to_string() }
}

fn broken(item: &BoundItem, reason: String) -> Error {
    Error::State { name: item.name.clone(), sql: item.sql.clone(), reason }
}

fn failed(item: &BoundItem, failure: Failure) -> Error {
    match failure {
        Failure::Overflow(reason) => Error::Overflow { name: item.name.clone(), sql: item.sql.clone(), reason },
        Failure::Broken(reason) => broken(item, reason),
    }
}
