//! What makes the columns of the output; handed in, so that this crate need not know SQL.

use std::fmt::Debug;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

/// Makes the columns of the output out of the generator's own ([`crate::base_schema`]).
///
/// It must be a function of each row: the same row gives the same values at every call, in whatever batch it stands.
pub trait ColumnEvaluator: Send + Sync + Debug {
    /// Names of the columns of [`crate::base_schema`] that it reads, without repeats. Only these are made.
    fn reads(&self) -> &[String];

    /// The schema of what it makes.
    fn schema(&self) -> SchemaRef;

    /// Makes the output for `base`, which has the columns of [`ColumnEvaluator::reads`] in that order and nothing else,
    /// with as many rows.
    ///
    /// # Errors
    /// When there is no value for some row, for example because a cast does not succeed.
    fn evaluate(&self, base: &RecordBatch) -> volley_api::Result<RecordBatch>;
}
