//! Aggregates in native tests.

use serde_json::Value;

use super::{Crossed, TestError, batch, broken, read, taken, written};
use crate::runner::{AggregateRunner, RejectedRows, Runner as _};
use crate::{AggregateOperator, RecordBatch, Reject};

/// What became of rows and groups.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateOutcome {
    /// The results, a row for each group in the order of their numbers.
    pub output: RecordBatch,
    /// The refused rows, by their index in the input, ascending.
    pub rejects: Vec<(u32, Reject)>,
}

/// Runs an aggregate over a batch whose rows belong to these groups, which are numbered from 0.
///
/// As a host may do, the rows go to two instances, a half to each; their states are merged by a third and evaluated by a fourth.
///
/// # Errors
/// [`TestError`] when the operator refuses to open or a call fails.
///
/// # Panics
/// When there are not as many groups as rows.
pub fn aggregate<Op: AggregateOperator>(
    config: Value,
    groups: &[u32],
    input: &RecordBatch,
) -> Result<AggregateOutcome, TestError> {
    assert_eq!(groups.len(), input.len(), "a group for each row");
    let half = input.len() / 2;
    let mut merging = Aggregation::<Op>::open(config.clone(), input)?;
    let mut rejects = Vec::new();
    for (start, rows) in [(0, half), (half, input.len() - half)] {
        if rows == 0 {
            continue;
        }
        // An instance's numbers are dense: each part numbers its groups by itself.
        let mut known: Vec<u32> = Vec::new();
        let number = |group: &u32| match known.iter().position(|other| other == group) {
            Some(number) => number as u32,
            None => {
                known.push(*group);
                known.len() as u32 - 1
            }
        };
        let numbers: Vec<u32> = groups[start..start + rows].iter().map(number).collect();
        let mut part = Aggregation::<Op>::open(config.clone(), input)?;
        let refused = part.update(&numbers, &slice(input, start, rows))?;
        rejects.extend(refused.into_iter().map(|(row, why)| (row + start as u32, why)));
        merging.merge(&known, &part.drain()?)?;
    }
    let state = merging.drain()?;
    let output = Aggregation::<Op>::open(config, input)?.evaluate(&state)?;
    Ok(AggregateOutcome { output, rejects })
}

/// One instance of an aggregate, call by call.
pub struct Aggregation<Op> {
    runner: AggregateRunner<Op>,
}

impl<Op: AggregateOperator> Aggregation<Op> {
    /// Opens an instance for input of the columns of this batch.
    ///
    /// # Errors
    /// [`TestError::Open`] when the operator refuses.
    pub fn open(config: Value, input: &RecordBatch) -> Result<Self, TestError> {
        let schema = Crossed::new(input)?.schema_message()?;
        Ok(Self { runner: AggregateRunner::open(&config.to_string(), &schema)? })
    }

    /// Adds rows to their groups; gives the refused ones.
    ///
    /// # Errors
    /// [`TestError::Call`] when the call fails.
    pub fn update(&mut self, groups: &[u32], input: &RecordBatch) -> Result<RejectedRows, TestError> {
        let message = Crossed::new(input)?.message(&self.runner.bound)?;
        Ok(self.runner.update(groups, &message)?)
    }

    /// Adds states, as [`Aggregation::drain`] gives them.
    ///
    /// # Errors
    /// [`TestError::Call`] when the call fails.
    pub fn merge(&mut self, groups: &[u32], state: &RecordBatch) -> Result<(), TestError> {
        let message = written(self.runner.state.schema(), state.columns(), state.len())?;
        Ok(self.runner.merge(groups, &message)?)
    }

    /// The states of all groups, in the order of their numbers.
    ///
    /// # Errors
    /// [`TestError::Call`] when the call fails.
    pub fn drain(&mut self) -> Result<RecordBatch, TestError> {
        let message = self.runner.drain()?.to_vec();
        let schema = self.runner.state.schema();
        named(schema, read(schema, &message)?)
    }

    /// The results of states.
    ///
    /// # Errors
    /// [`TestError::Call`] when the call fails.
    pub fn evaluate(&mut self, state: &RecordBatch) -> Result<RecordBatch, TestError> {
        let message = written(self.runner.state.schema(), state.columns(), state.len())?;
        let results = self.runner.evaluate(&message)?.to_vec();
        let schema = &self.runner.bound.wires[0].schema;
        named(schema, read(schema, &results)?)
    }
}

fn named(schema: &crate::Schema, columns: Vec<crate::Array>) -> Result<RecordBatch, TestError> {
    let rows = columns.first().map(crate::Array::len).ok_or_else(|| broken("no columns"))?;
    Ok(batch(schema.fields().iter().cloned().zip(columns).collect(), rows))
}

fn slice(input: &RecordBatch, start: usize, rows: usize) -> RecordBatch {
    let rows: Vec<usize> = (start..start + rows).collect();
    let count = rows.len();
    batch(taken(input.schema(), input.columns(), &rows), count)
}
