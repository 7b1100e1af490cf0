//! Aggregates: deltas by group, whole columns at a time.
//!
//! The engine decides what a group is — a key within a window, a session — and numbers groups densely from 0. An
//! aggregator keeps what it has seen of each group since it was last emptied, and gives it out as columns: as *state*,
//! which can be stored and merged again, or as results. The world `aggregate` of the plugin contract has the same shape.

use std::fmt::Debug;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{FieldRef, SchemaRef};

use crate::{EventTimeColumn, OperatorContext, OperatorIdentity, Result, RowReject, StreamRecord};

/// What aggregates make of an input schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregateBinding {
    /// The columns of the results, in the order in which they were asked for.
    pub results: Vec<FieldRef>,
    /// The columns of the state between two updates. They are what is stored: a change of any of them makes stored state
    /// unusable.
    pub state: Vec<FieldRef>,
    /// Names of the input columns that are looked at.
    pub reads: Vec<String>,
    /// Whether results do not depend on the order in which rows and state come, but for the rounding of floats: then rows may
    /// be aggregated in parts before they meet.
    pub is_order_free: bool,
}

/// Several aggregates over one input, as the plan knows them: checked once, then made per subtask and window.
pub trait AggregatorFactory: Send + Sync + Debug {
    /// What it computes, in a few words, for drawings of the plan: `flights = count(*), mean_delay = avg(dep_delay)`.
    fn label(&self) -> String;

    /// Checks the aggregates against the schema of their input. Pure. `event_time` is the column by which `first` and
    /// `last` order rows, where the stream has event time.
    ///
    /// # Errors
    /// When a column is unknown, a type does not fit, or an aggregate needs event time and there is none.
    fn bind(&self, input: &SchemaRef, event_time: Option<&EventTimeColumn>) -> Result<AggregateBinding>;

    /// Makes an empty aggregator. The arguments are some that `bind` accepted, but that `input` may have lost columns that
    /// are not read. Cheap: one is made for every window.
    ///
    /// # Errors
    /// When it cannot be made, for example for want of memory; always where there is a [`AggregatorFactory::pool`].
    fn create(&self, input: &SchemaRef, event_time: Option<&EventTimeColumn>) -> Result<Box<dyn Aggregator>>;

    /// What makes the aggregators of one instance of an operator, where they share something, such as an instance of a
    /// plugin. `context` is that of the operator, whose `input` was bound; batches have the columns of `input`. Default: none;
    /// [`AggregatorFactory::create`] makes them.
    ///
    /// # Errors
    /// When it cannot be made.
    fn pool(
        &self,
        context: &OperatorContext,
        role: AggregatorRole,
        input: &SchemaRef,
    ) -> Result<Option<Box<dyn AggregatorPool>>> {
        let _ = (context, role, input);
        Ok(None)
    }

    /// Whether it makes the same of the same rows when they are read again. Default: yes.
    fn is_repeatable(&self) -> bool {
        true
    }

    /// Whether rows may be refused. Default: no.
    fn can_reject(&self) -> bool {
        false
    }

    /// What refused rows say of who refused them. Default: nothing.
    fn identity(&self) -> OperatorIdentity {
        OperatorIdentity::default()
    }
}

/// Where aggregators stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregatorRole {
    /// In the operator itself: what it refuses is refused.
    Operator,
    /// Before an exchange: rows that are refused travel as rows, and the operator has the last word on them.
    BeforeExchange,
}

/// Rows that aggregators have refused: they count in no group.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The record of [`Aggregator::update_of`] that they are among.
    pub rows: StreamRecord,
    /// Which ones, ascending, and why.
    pub rejects: Vec<RowReject>,
}

/// The aggregators of one instance of an operator.
pub trait AggregatorPool: Send {
    /// Makes an empty aggregator.
    ///
    /// # Errors
    /// When it cannot be made, for example for want of memory.
    fn create(&self) -> Result<Box<dyn Aggregator>>;

    /// Makes state of all rows that its aggregators have taken in, so that none of them can be refused any more.
    ///
    /// # Errors
    /// As [`Aggregator::drain`].
    fn settle(&self) -> Result<()>;

    /// The rows that were refused since it was last asked. Some may have been taken in long before.
    fn take_refused(&self) -> Vec<Refused>;

    /// The last call of a clean end.
    ///
    /// # Errors
    /// When what is shared cannot be closed.
    fn finish(&self) -> Result<()>;
}

/// What is known of a number of groups, numbered densely from 0.
///
/// An error leaves the aggregator in an undefined state: the job fails, or the plugin behind it is restored.
pub trait Aggregator: Send {
    /// Takes in rows: row `i` of `batch` belongs to the group `groups[i]`. `groups_total` is greater than every number in
    /// `groups` and never less than at the call before, unless the aggregator was emptied in between.
    ///
    /// # Errors
    /// When a value cannot be taken in: a sum beyond its type, an expression that fails for a row. The message names the
    /// aggregate and the value.
    fn update(&mut self, batch: &RecordBatch, groups: &[usize], groups_total: usize) -> Result<()>;

    /// As [`Aggregator::update`], where rows may be refused: `record` has the same rows with all columns of the operator's
    /// input, compacted. What is refused is told by [`AggregatorPool::take_refused`], now or later. Default: as `update`.
    ///
    /// # Errors
    /// As [`Aggregator::update`].
    fn update_of(
        &mut self,
        record: &StreamRecord,
        batch: &RecordBatch,
        groups: &[usize],
        groups_total: usize,
    ) -> Result<()> {
        let _ = record;
        self.update(batch, groups, groups_total)
    }

    /// Takes in state that [`Aggregator::drain`] gave out: row `i` of the columns is added to the group `groups[i]`.
    /// `groups_total` as in [`Aggregator::update`].
    ///
    /// # Errors
    /// As [`Aggregator::update`], or when the columns are not those of [`AggregateBinding::state`].
    fn merge(&mut self, state: &[ArrayRef], groups: &[usize], groups_total: usize) -> Result<()>;

    /// Gives out the state of all groups `0..groups_total`, one row each, and is empty afterwards.
    ///
    /// # Errors
    /// When the state cannot be made, for example for want of memory.
    fn drain(&mut self, groups_total: usize) -> Result<Vec<ArrayRef>>;

    /// Gives out the results of all groups `0..groups_total`, one row each, and is empty afterwards.
    ///
    /// # Errors
    /// As [`Aggregator::update`].
    fn evaluate(&mut self, groups_total: usize) -> Result<Vec<ArrayRef>>;

    /// Of the groups of the last [`Aggregator::evaluate`] those that have results: the others had no row that was not
    /// refused, and what stands in their rows means nothing. Default: `None`, all have.
    fn evaluated(&self) -> Option<&BooleanBuffer> {
        None
    }

    /// About how many bytes it holds.
    fn memory_bytes(&self) -> usize;
}
