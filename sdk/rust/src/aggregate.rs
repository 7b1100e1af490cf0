//! Aggregates: what an operator implements that makes one row of the rows of a group.

use serde::de::DeserializeOwned;

use crate::{Array, Batch, Binding, Determinism, Failure, OpenError, Rejects, Schema};

/// The groups of the rows, or of the states, of one call.
///
/// Groups are numbered densely from 0, anew after each drain, so that what is known of them goes into vectors.
#[derive(Debug, Clone, Copy)]
pub struct Groups<'a> {
    numbers: &'a [u32],
    total: usize,
}

impl<'a> Groups<'a> {
    pub(crate) fn new(numbers: &'a [u32], greatest: Option<u32>, known: usize) -> Self {
        Self { numbers, total: greatest.map_or(known, |greatest| known.max(greatest as usize + 1)) }
    }

    /// The group of each row.
    #[must_use]
    pub fn numbers(&self) -> &'a [u32] {
        self.numbers
    }

    /// How many groups there are since the last drain, those of this call included: all numbers are less.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }
}

/// A batch-wise operator that makes one row of the rows of each group. Export it with
/// [`export_aggregate!`](crate::export_aggregate). For a state that is a struct, `#[aggregate]` writes it.
///
/// The operator holds *deltas*: what it has learnt since the last [`AggregateOperator::drain`]. Everything older is state that
/// the host holds, as rows of the state's columns. States merge in any order and grouping to the same result, up to the
/// rounding of floats.
pub trait AggregateOperator: Sized + 'static {
    /// See [`MapOperator::Config`](crate::MapOperator::Config).
    type Config: DeserializeOwned;

    /// See [`MapOperator::DETERMINISM`](crate::MapOperator::DETERMINISM).
    const DETERMINISM: Determinism = Determinism::Replayable;

    /// See [`MapOperator::open`](crate::MapOperator::open). The binding names what is read, the results
    /// ([`Binding::append`]: they go behind the key and the window), and the columns of the state ([`Binding::state`]).
    ///
    /// # Errors
    /// [`OpenError`] when configuration or input do not fit.
    fn open(config: Self::Config, input: &Schema) -> Result<(Self, Binding), OpenError>;

    /// Adds rows, of the columns that the binding reads and at least one, to the deltas of their groups. A row that is refused
    /// must not have been added.
    ///
    /// # Errors
    /// [`Failure`] when no row of the batch can be added; then none must have been.
    fn update(&mut self, groups: Groups<'_>, batch: &Batch<'_>) -> Result<Rejects, Failure>;

    /// Adds states, each made by [`AggregateOperator::drain`], here or elsewhere, to the deltas of their groups. A group may
    /// occur several times.
    ///
    /// # Errors
    /// [`Failure`] when they are none of this operator's: the job stops.
    fn merge(&mut self, groups: Groups<'_>, state: &Batch<'_>) -> Result<(), Failure>;

    /// Gives up all deltas: the columns of the state, with one row for each of `0..groups_total`. Afterwards there are no groups.
    /// (A group whose rows were all refused has a row too, which nobody reads; there may be deltas of groups beyond, of a call
    /// that failed, which go.)
    ///
    /// # Errors
    /// [`Failure`] when the operator cannot go on.
    fn drain(&mut self, groups_total: usize) -> Result<Vec<Array>, Failure>;

    /// The results of states: one row for each, of the columns of the port. Depends on its argument alone, and changes no delta.
    ///
    /// # Errors
    /// [`Failure`] when the operator cannot go on.
    fn evaluate(&mut self, state: &Batch<'_>) -> Result<Vec<Array>, Failure>;

    /// The last call of a clean end.
    fn close(&mut self) {}
}
