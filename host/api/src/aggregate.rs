//! Aggregates: deltas by group, whole columns at a time.
//!
//! The engine decides what a group is — a key within a window, a session — and numbers groups densely from 0. An
//! aggregator keeps what it has seen of each group since it was last emptied, and gives it out as columns: as *state*,
//! which can be stored and merged again, or as results. The world `aggregate` of the plugin contract has the same shape.

use std::fmt::Debug;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{FieldRef, SchemaRef};

use crate::{EventTimeColumn, Result};

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

    /// Makes an empty aggregator. The arguments are some that `bind` accepted. Cheap: one is made for every window.
    ///
    /// # Errors
    /// When it cannot be made, for example for want of memory.
    fn create(&self, input: &SchemaRef, event_time: Option<&EventTimeColumn>) -> Result<Box<dyn Aggregator>>;
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

    /// About how many bytes it holds.
    fn memory_bytes(&self) -> usize;
}
