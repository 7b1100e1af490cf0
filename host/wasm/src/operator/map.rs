//! Maps: the plugin's columns, row for row beside or instead of the input's.

use std::sync::Arc;

use arrow::array::{BooleanArray, BooleanBufferBuilder, RecordBatch, RecordBatchOptions};
use arrow::buffer::{BooleanBuffer, Buffer};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use volley_api::{RowReject, StreamRecord};
use volley_ipc::decode_batch;

use super::{Part, PluginOperator, rows_of};
use crate::text::visible;
use crate::violation::Violation;
use crate::{Error, Result};

/// What is shown of a problem that the gate found, in bytes.
const PROBLEM_BYTES_MAX: usize = 1 << 10;

impl PluginOperator {
    /// The output of one call: gated, put together, without the refused rows.
    pub(super) fn mapped(
        &self,
        record: &StreamRecord,
        part: Part,
        message: &Buffer,
        rejects: &[RowReject],
    ) -> Result<StreamRecord> {
        let port = &self.instances.bound().ports[0];
        let broke = |error: &dyn std::error::Error| {
            self.broke(Violation::BadBatch, visible(&error.to_string(), PROBLEM_BYTES_MAX))
        };
        // What stands at refused rows is not looked at: a null there keeps the contract, whatever the column declares.
        let expected = if rejects.is_empty() { Arc::clone(&port.own) } else { nullable(&port.own) };
        let own = decode_batch(message, &expected, &self.gate_limits(part.rows))
            .map_err(|error| self.gate_refused(&error))?;
        if own.num_rows() != part.rows {
            return Err(self.broke(Violation::WrongRows, format!("{} rows for {}", own.num_rows(), part.rows)));
        }
        self.check_mapped(&own, message.len(), rejects)?;
        let input = record.slice(part.offset, part.rows);
        if rejects.is_empty() {
            let batch = port.compose(&input.batch, &own)?;
            return Ok(input.with_columns_of(batch));
        }
        let kept = all_but(part.rows, rejects);
        if let Ok(own) = retyped(&own, &port.own) {
            let batch = port.compose(&input.batch, &own)?;
            return Ok(input.with_columns_of(batch).narrow(&kept));
        }
        // Nulls where none are declared: without the refused rows there must be none left.
        let own = filter_record_batch(&own, &BooleanArray::from(kept.clone()))?;
        let own = retyped(&own, &port.own).map_err(|error| broke(&error))?;
        let input = input.narrow(&kept).compact()?;
        let batch = port.compose(&input.batch, &own)?;
        Ok(input.with_columns_of(batch))
    }
}

impl PluginOperator {
    fn gate_refused(&self, error: &volley_ipc::Error) -> Error {
        use volley_ipc::Error as E;
        let problem = visible(&error.to_string(), PROBLEM_BYTES_MAX);
        match error {
            E::TooManyBytes { .. } | E::TooManyLogicalBytes { .. } => self.too_much(Violation::OutputBytes, problem),
            E::TooManyRows { .. } => self.broke(Violation::WrongRows, problem),
            _ => self.broke(Violation::BadBatch, problem),
        }
    }
}

/// The same columns, each of which may hold nulls.
fn nullable(schema: &Schema) -> SchemaRef {
    let field = |field: &Arc<Field>| field.as_ref().clone().with_nullable(true);
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

/// The batch under a schema of the same types, which may forbid nulls.
fn retyped(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), batch.columns().to_vec(), &options)
}

/// One bit per row, set for all but those.
pub(super) fn all_but(rows: usize, rejects: &[RowReject]) -> BooleanBuffer {
    let mut bits = BooleanBufferBuilder::new(rows);
    bits.append_n(rows, true);
    rows_of(rejects).for_each(|row| bits.set_bit(row, false));
    bits.build()
}
