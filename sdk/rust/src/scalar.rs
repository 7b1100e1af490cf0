//! Functions for expressions: what `#[scalar]` makes, and what can be written batch-wise.

use serde::de::DeserializeOwned;

use crate::{Array, Batch, DataType, Determinism, Failure, OpenError, Schema};

/// What a scalar does about nulls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NullHandling {
    /// The result is null where an argument is: such rows never come.
    Propagate,
    /// Nulls are arguments like any other.
    See,
}

/// A batch-wise function for the expressions of `filter`, `select` and `with_columns`. Export it with
/// [`export_scalar!`](crate::export_scalar).
///
/// It must not keep anything between calls that results depend on: the host cuts rows into calls as it likes, and calls
/// again with fewer rows where many cannot be answered together.
pub trait ScalarOperator: Sized + 'static {
    /// The `config:` of the function in the pipeline file. See [`MapOperator::Config`](crate::MapOperator::Config).
    type Config: DeserializeOwned;

    /// What its results depend on, beside configuration and arguments. Default: nothing; a planner may call it once for equal
    /// arguments. A function that asks `clock` or `random` says [`Determinism::Replayable`].
    const DETERMINISM: Determinism = Determinism::Deterministic;

    /// What it does about nulls. Default: the result is null where an argument is.
    const NULLS: NullHandling = NullHandling::Propagate;

    /// Binds to a configuration and to the arguments of one place that calls it, which are `arg0`, `arg1`, … in order; gives
    /// the type of the result. Must be pure.
    ///
    /// # Errors
    /// [`OpenError::InvalidInput`] for arguments that it does not take; [`OpenError::InvalidConfig`].
    fn open(config: Self::Config, arguments: &Schema) -> Result<(Self, DataType), OpenError>;

    /// The results for one batch of the arguments, of at least one row: a column of as many rows.
    ///
    /// # Errors
    /// [`Failure::RejectBatch`] when these rows have no values together: the host tries with fewer.
    fn call(&mut self, arguments: &Batch<'_>) -> Result<Array, Failure>;

    /// The last call of a clean end.
    fn close(&mut self) {}
}
