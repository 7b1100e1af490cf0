//! Columns as arrow-rs has them, and back: for operators that stand on a library over it. The feature `arrow`.
//!
//! | | there | back |
//! |---|---|---|
//! | a batch | [`Batch::to_arrow`](crate::Batch::to_arrow), [`RecordBatch::to_arrow`](crate::RecordBatch::to_arrow) | [`RecordBatch::from_arrow`](crate::RecordBatch::from_arrow) |
//! | a column | [`Column::to_arrow`](crate::Column::to_arrow) | [`Array::from_arrow`](crate::Array::from_arrow) |
//! | a schema, a field, a type | `to_arrow` | `from_arrow` |
//!
//! Each direction copies the values once: the host's message is read in place until the call ends, while arrow-rs owns
//! what it holds. Texts are checked to be UTF-8, offsets to ascend. A field's metadata is not kept.
//!
//! What comes from arrow-rs comes as it would cross the boundary: dictionaries unpacked, views as plain text and bytes.
//! Types without a view here (unions, list views, run-end encoded columns, narrow decimals) are refused.

mod export;
mod import;
#[cfg(test)]
mod tests;
mod types;

pub use arrow_array;
pub use arrow_buffer;
pub use arrow_schema;

use std::sync::Arc;

use arrow_array::RecordBatchOptions;
use arrow_schema::ArrowError;

use crate::{Array, Batch, Failure, OpenError, RecordBatch, Schema};

impl Batch<'_> {
    /// The batch as arrow-rs has it, with a copy of the values.
    ///
    /// # Errors
    /// When the batch is broken, which no host sends: texts that are not UTF-8, offsets that descend.
    pub fn to_arrow(&self) -> Result<arrow_array::RecordBatch, ArrowError> {
        let columns = self.columns().map(|column| column.to_arrow()).collect::<Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.len()));
        let schema = Arc::new(self.schema().to_arrow()?);
        arrow_array::RecordBatch::try_new_with_options(schema, columns, &options)
    }
}

impl RecordBatch {
    /// The batch as arrow-rs has it, with a copy of the values.
    ///
    /// # Errors
    /// When a column is declared without nulls and has some.
    pub fn to_arrow(&self) -> Result<arrow_array::RecordBatch, ArrowError> {
        self.view().to_arrow()
    }

    /// A batch of arrow-rs, with a copy of its values. [`RecordBatch::into_columns`] is what a map returns.
    ///
    /// # Errors
    /// When a column is of a type that this SDK has no view for.
    pub fn from_arrow(batch: &arrow_array::RecordBatch) -> Result<Self, ArrowError> {
        let columns = batch.columns().iter().map(|column| Array::from_arrow(column)).collect::<Result<_, _>>()?;
        Ok(Self::with_rows(Schema::from_arrow(batch.schema_ref()), columns, batch.num_rows()))
    }
}

/// What fails in arrow-rs in the middle of a job is a defect of the operator: it cannot go on.
impl From<ArrowError> for Failure {
    fn from(error: ArrowError) -> Self {
        Self::Fatal(error.to_string())
    }
}

/// What fails in arrow-rs while an operator opens is what the input's types are to it.
impl From<ArrowError> for OpenError {
    fn from(error: ArrowError) -> Self {
        Self::InvalidInput(error.to_string())
    }
}
